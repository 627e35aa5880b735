// Browsers have this everywhere, Node only from version 19 on.
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto as Crypto;

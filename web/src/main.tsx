import { render } from "preact";
import { App } from "./app";
import { loadModels } from "./api/models";
import { openLibrary } from "./chat/session";
import "./ui/base.css";
import "./chat/chat.css";
import "./chat/answer.css";
import "./live/live.css";
import "./requests/requests.css";
import "./models/models.css";
import "./reference/reference.css";

const root = document.getElementById("app");
if (root) render(<App />, root);
void openLibrary();
void loadModels();

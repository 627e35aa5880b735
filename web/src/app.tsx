// The frame of the page: where to go, the theme, the key.
import { useEffect, useState } from "preact/hooks";
import { apiKey, isKeyWanted, setApiKey } from "./api/client";
import { loadModels } from "./api/models";
import { ChatView } from "./chat/view";
import { LiveView } from "./live/view";
import { ModelsView } from "./models/view";
import { ReferenceView } from "./reference/view";
import { RequestsView } from "./requests/view";
import { Icon, IconButton, type IconName } from "./ui/icons";
import { isPageVisible } from "./ui/media";
import { NoticeBar } from "./ui/notice";
import { Dialog } from "./ui/panel";
import { route, type View } from "./ui/route";
import { nextTheme, setTheme, theme, type Theme } from "./ui/theme";

const VIEWS: { view: View; name: string; href: string; icon: IconName }[] = [
  { view: "chat", name: "Chat", href: "#/", icon: "chat" },
  { view: "live", name: "Live", href: "#/live", icon: "chart" },
  { view: "requests", name: "Requests", href: "#/requests", icon: "list" },
  { view: "models", name: "Models", href: "#/models", icon: "stack" },
  { view: "api", name: "API", href: "#/api", icon: "braces" },
];

const OPEN_BOOK =
  "M10 5C8 3.6 5.6 3 2.5 3v12c3.1 0 5.5.6 7.5 2 2-1.4 4.4-2 7.5-2V3C14.4 3 12 3.6 10 5zm0 0v12";

const THEME_ICONS: Record<Theme, IconName> = { system: "half", light: "sun", dark: "moon" };

export function App() {
  const { view } = route.value;
  const [isKeyOpen, setKeyOpen] = useState(false);
  useEffect(() => {
    const name = VIEWS.find((one) => one.view === view)?.name ?? "Chat";
    document.title = `${name} · Quire`;
  }, [view]);
  // What is served may have changed while the page was out of sight.
  useEffect(() => {
    if (isPageVisible.value) void loadModels();
  }, [isPageVisible.value]);
  return (
    <>
      <header class="bar">
        <a class="wordmark" href="#/" aria-label="Quire, to the chat">
          <svg viewBox="0 0 20 20" aria-hidden="true">
            <path d={OPEN_BOOK} />
          </svg>
          <span>Quire</span>
        </a>
        <nav aria-label="Views">
          {VIEWS.map(({ view: one, name, href, icon }) => (
            <a key={one} href={href} aria-current={one === view ? "page" : undefined}>
              <Icon name={icon} />
              <span>{name}</span>
            </a>
          ))}
        </nav>
        <div class="bar-tools">
          <IconButton
            icon="key"
            label={apiKey.value ? "API key (set)" : "API key"}
            class={apiKey.value ? "is-set" : ""}
            onClick={() => setKeyOpen(true)}
          />
          <IconButton
            icon={THEME_ICONS[theme.value]}
            label={`Theme: ${theme.value}. Switch to ${nextTheme()}`}
            onClick={() => setTheme(nextTheme())}
          />
        </div>
      </header>
      {isKeyWanted.value && !isKeyOpen && (
        <div class="banner" role="alert">
          <span>
            {apiKey.value
              ? "The server does not accept this API key."
              : "This server asks for an API key."}
          </span>
          <button type="button" class="button" onClick={() => setKeyOpen(true)}>
            Enter key
          </button>
        </div>
      )}
      {view === "chat" && <ChatView />}
      {view === "live" && <LiveView />}
      {view === "requests" && <RequestsView />}
      {view === "models" && <ModelsView />}
      {view === "api" && <ReferenceView />}
      {isKeyOpen && <KeyDialog onClose={() => setKeyOpen(false)} />}
      <NoticeBar />
    </>
  );
}

function KeyDialog({ onClose }: { onClose: () => void }) {
  const [key, setKey] = useState(apiKey.value);
  const save = (event: Event) => {
    event.preventDefault();
    setApiKey(key);
    void loadModels();
    onClose();
  };
  return (
    <Dialog label="API key" class="dialog" onClose={onClose}>
      <form onSubmit={save}>
        <h2>API key</h2>
        <label class="field">
          <span>Sent as a bearer token; kept in this tab until it is closed.</span>
          <input
            type="password"
            value={key}
            autoComplete="off"
            spellcheck={false}
            autoFocus
            aria-label="API key"
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>
        <div class="row-end">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="button primary">
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}

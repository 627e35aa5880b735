// A short message at the edge of the window, with one thing to do about it.
import { signal } from "@preact/signals";

interface Notice {
  text: string;
  action?: string;
  act?: () => void;
}

const SHOWN_MS = 7000;

const notice = signal<Notice | null>(null);
let timer: ReturnType<typeof setTimeout> | undefined;

export function notify(next: Notice): void {
  clearTimeout(timer);
  notice.value = next;
  timer = setTimeout(() => {
    notice.value = null;
  }, SHOWN_MS);
}

export function NoticeBar() {
  const shown = notice.value;
  return (
    <div class="notice-area" role="status">
      {shown && (
        <div class="notice">
          <span>{shown.text}</span>
          {shown.act && (
            <button
              type="button"
              class="link"
              onClick={() => {
                notice.value = null;
                shown.act?.();
              }}
            >
              {shown.action}
            </button>
          )}
        </div>
      )}
    </div>
  );
}

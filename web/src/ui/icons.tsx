// Line icons on a 20 x 20 grid. They are decoration: the button around one carries the name.
const paths = {
  menu: "M3 6h14M3 10h14M3 14h14",
  plus: "M10 4v12M4 10h12",
  close: "M5 5l10 10M15 5L5 15",
  send: "M10 16V4M5 9l5-5 5 5",
  stop: "M6 6h8v8H6z",
  copy: "M7 7V4h9v9h-3M4 7h9v9H4z",
  check: "M4 10.5l4 4 8-9",
  edit: "M4 16l.8-3.6L13 4.2l2.8 2.8-8.2 8.2z",
  again: "M15.5 8A6 6 0 1 0 16 11M16 4v4h-4",
  left: "M12 5l-5 5 5 5",
  right: "M8 5l5 5-5 5",
  trash: "M4 6h12M8 6V4h4v2M6 6l.6 10h6.8L14 6",
  columns: "M4 4h5v12H4zM11 4h5v12h-5z",
  sliders: "M4 6h7M15 6h1M4 14h1M9 14h7M13 4v4M7 12v4",
  key: "M7 9.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM9.5 10.5L16.5 3.5M13.5 6.5l2.5 2.5",
  sun:
    "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z" +
    "M10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18" +
    "M4.3 4.3l1.1 1.1M14.6 14.6l1.1 1.1" +
    "M15.7 4.3l-1.1 1.1M5.4 14.6l-1.1 1.1",
  moon: "M16 11.5A6.5 6.5 0 0 1 8.5 4a6.5 6.5 0 1 0 7.5 7.5z",
  half: "M10 3.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM10 3.5v13M12 5v10M14 6.5v7",
  down: "M10 4v12M5 11l5 5 5-5",
  chart: "M4 16V9M8 16V4M12 16v-6M16 16V7",
  chat: "M4 4h12v9H9l-3.5 3v-3H4z",
  braces:
    "M8 4H7a2 2 0 0 0-2 2v2l-1.5 2L5 12v2a2 2 0 0 0 2 2h1" +
    "M12 4h1a2 2 0 0 1 2 2v2l1.5 2L15 12v2a2 2 0 0 1-2 2h-1",
  stack: "M3 7l7-4 7 4-7 4zM3 10.5l7 4 7-4M3 14l7 4 7-4",
  list: "M7 5h9M7 10h9M7 15h9M4 5h.01M4 10h.01M4 15h.01",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}

interface IconButtonProps {
  icon: IconName;
  label: string;
  onClick: () => void;
  disabled?: boolean;
  pressed?: boolean;
  class?: string;
}

export function IconButton({ icon, label, onClick, disabled, pressed, ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      class={`icon-button ${rest.class ?? ""}`}
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

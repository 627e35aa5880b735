// Something beside the main matter: a column where there is room, else a dialog over it.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { IconButton } from "./icons";
import { isWide } from "./media";

interface PanelProps {
  label: string;
  side: "left" | "right";
  isOpen: boolean; // as a dialog; and as a column, if it can be hidden
  onClose: () => void;
  children: ComponentChildren;
}

export function Panel({ label, side, isOpen, onClose, children }: PanelProps) {
  if (!isOpen) return null;
  if (isWide.value) {
    return (
      <aside class={`panel panel-${side}`} aria-label={label}>
        {children}
      </aside>
    );
  }
  return <Drawer {...{ label, side, onClose, children }} />;
}

function Drawer({ label, side, onClose, children }: Omit<PanelProps, "isOpen">) {
  return (
    <Dialog label={label} class={`drawer drawer-${side}`} onClose={onClose}>
      <div class="drawer-head">
        <h2>{label}</h2>
        <IconButton icon="close" label="Close" onClick={onClose} />
      </div>
      {children}
    </Dialog>
  );
}

interface DialogProps {
  label: string;
  class: string;
  onClose: () => void;
  children: ComponentChildren;
}

// A modal dialog of the browser's own: focus stays inside, Escape and the backdrop close it.
export function Dialog({ label, onClose, children, ...rest }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={element}
      class={rest.class}
      aria-label={label}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === element.current) onClose();
      }}
    >
      <div class="dialog-body">{children}</div>
    </dialog>
  );
}

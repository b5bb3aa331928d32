/** Tabs by pointer and by keyboard: arrows, Home and End move and choose, as ARIA's pattern has it. */
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";

export function Tabs(parts: {
  readonly label: string;
  /** Names by key, in order. */
  readonly tabs: Readonly<Record<string, string>>;
  readonly chosen: string;
  readonly choose: (key: string) => void;
  readonly beside?: ComponentChildren;
}) {
  const { label, tabs, chosen, choose, beside } = parts;
  const list = useRef<HTMLDivElement>(null);
  const keys = Object.keys(tabs);
  const go = (key: string | undefined): void => {
    if (key === undefined) return;
    choose(key);
    list.current?.querySelector<HTMLElement>(`[data-tab="${key}"]`)?.focus();
  };
  const onKey = (event: KeyboardEvent): void => {
    const at = keys.indexOf(chosen);
    const to: Readonly<Record<string, number>> = {
      ArrowRight: (at + 1) % keys.length,
      ArrowLeft: (at + keys.length - 1) % keys.length,
      Home: 0,
      End: keys.length - 1,
    };
    const next = to[event.key];
    if (next === undefined) return;
    event.preventDefault();
    go(keys[next]);
  };
  return (
    <div class="row tabline">
      <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={onKey}>
        {keys.map((key) => (
          <button
            key={key}
            id={`tab-${key}`}
            data-tab={key}
            type="button"
            role="tab"
            aria-selected={key === chosen}
            aria-controls="tab-panel"
            tabIndex={key === chosen ? 0 : -1}
            onClick={() => choose(key)}
          >
            {tabs[key]}
          </button>
        ))}
      </div>
      {beside}
    </div>
  );
}

export function TabPanel(parts: { readonly tab: string; readonly children: ComponentChildren }) {
  return (
    <div id="tab-panel" class="column" role="tabpanel" aria-labelledby={`tab-${parts.tab}`}>
      {parts.children}
    </div>
  );
}

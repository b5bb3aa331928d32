/** What a saved page was saved for, and how to make it again. */
import type { SavedState } from "../../../scripts/report/saved-state.ts";
import { Command } from "./command.tsx";
import "./style/saved.css";

export function SavedNote({ title, notes, command }: SavedState) {
  return (
    <aside class="panel saved-note" aria-label="This file">
      <p class="note">
        <b>{title}</b> {notes.join(" ")}
      </p>
      {command !== undefined && (
        <details>
          <summary class="note">Make it again</summary>
          <Command title="In a terminal" text={command} />
        </details>
      )}
    </aside>
  );
}

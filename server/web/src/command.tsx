/** A command line, ready to be taken along. */
import { CopyButton } from "./copy-button.tsx";
import "./style/command.css";

export function Command({ title, text }: { readonly title: string; readonly text: string }) {
  return (
    <div class="command">
      <div class="row">
        <span class="note">{title}</span>
        <div class="actions">
          <CopyButton text={text} />
        </div>
      </div>
      <pre>{text}</pre>
    </div>
  );
}

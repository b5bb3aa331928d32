/** A command line, ready to be taken along. */
import { useState } from "preact/hooks";
import "./style/command.css";

export function Command({ title, text }: { readonly title: string; readonly text: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <div class="command">
      <div class="row">
        <span class="note">{title}</span>
        <div class="actions">
          <button
            type="button"
            onClick={async () => {
              await navigator.clipboard.writeText(text);
              setCopied(true);
              setTimeout(() => setCopied(false), 1500);
            }}
          >
            {copied ? "Copied" : "Copy"}
          </button>
        </div>
      </div>
      <pre>{text}</pre>
    </div>
  );
}

/**
 * What a saved page holds beside its code. It is written by scripts/report/saved-page.ts into an element
 * that no browser runs; a server's page has none.
 */
import type { SavedState } from "../../../scripts/report/saved-state.ts";

function read(): SavedState | undefined {
  const text = document.getElementById("saved")?.textContent;
  // Written by the same release: the code and the state are one file.
  return text === undefined || text === null ? undefined : (JSON.parse(text) as SavedState);
}

export const saved = read();

/** A file within the page, by the name that a link gives it. */
export function savedFile(name: string): File | undefined {
  const base64 = saved?.files?.[name];
  if (base64 === undefined) return undefined;
  return new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], name);
}

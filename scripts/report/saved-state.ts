/** What a saved page shows. Plain data: saved-page.ts writes it, the pages read it. */
import type { Point } from "./point.ts";

export interface SavedState {
  readonly title: string;
  /** The view it opens with, e.g. `#/curves?view=compare`. */
  readonly link: string;
  /** How to make it again. */
  readonly command?: string;
  /** What the reader should know, one sentence each. */
  readonly notes: readonly string[];
  /** Points that came together, under the name that they are compared by. */
  readonly runs?: readonly { readonly name: string; readonly points: readonly Point[] }[];
  /** Files that links open by name, in base64. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Of a saved page's text; undefined: it is none. */
export function savedStateIn(text: string): SavedState | undefined {
  const found = /<script type="application\/json" id="saved">([^<]*)<\/script>/.exec(text)?.[1];
  return found === undefined ? undefined : (JSON.parse(found) as SavedState); // as saved-page.ts wrote it
}

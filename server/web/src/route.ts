/**
 * The address of a view: `#/curves?a=1`. The hash, so that the same links work
 * from the server and from a saved file.
 */
import { computed, signal } from "@preact/signals";
import { saved } from "./saved.ts";

/** A saved page opens with what it was saved for. */
const hash = signal(location.hash === "" ? (saved?.link ?? "") : location.hash);
addEventListener("hashchange", () => {
  hash.value = location.hash;
});

/** "home" where no page is named. */
export const page = computed(() => /^#\/([\w-]+)/.exec(hash.value)?.[1] ?? "home");

/** What the view's link says beside the page. */
export const query = computed(() => new URLSearchParams(hash.value.split("?")[1] ?? ""));

/** Writes a value into the link without a new entry in the history. */
export function remember(name: string, value: string | undefined): void {
  const next = new URLSearchParams(query.value);
  if (value === undefined || value === "") next.delete(name);
  else next.set(name, value);
  const text = next.toString();
  history.replaceState(null, "", `#/${page.value}${text === "" ? "" : `?${text}`}`);
  hash.value = location.hash;
}

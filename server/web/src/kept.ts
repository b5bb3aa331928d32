/** What the browser keeps for the page. A sandboxed file may keep nothing: then it is as if nothing was kept. */
export function kept(store: "localStorage" | "sessionStorage", name: string): string | undefined {
  try {
    return window[store].getItem(name) ?? undefined;
  } catch {
    return undefined;
  }
}

export function keep(store: "localStorage" | "sessionStorage", name: string, value: string): void {
  try {
    window[store].setItem(name, value);
  } catch {
    // Nothing is kept there.
  }
}

/** The address of a server to record from. */

/** Says what is wrong with an address to record from; undefined: nothing. */
export function wrongAddress(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return "must be an http or https URL";
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    return "must be an address alone; keys come with the requests";
  }
  return undefined;
}

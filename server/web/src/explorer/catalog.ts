/** The catalogue's configs, each fetched when it is asked for. */
const FILES = import.meta.glob<Readonly<Record<string, unknown>>>(
  "../../../../models/catalog/*.json",
  { import: "default" },
);

const idOf = (path: string): string =>
  (path.split("/").at(-1) ?? "").replace(/\.json$/, "").replace("--", "/");

export const CATALOG_IDS: readonly string[] = Object.keys(FILES).map(idOf).sort();

/** Throws for an id that is not of the catalogue. */
export async function catalogConfig(id: string): Promise<Readonly<Record<string, unknown>>> {
  const found = Object.entries(FILES).find(([path]) => idOf(path) === id);
  if (found === undefined) throw new Error(`${id} is not in the catalogue.`);
  return await found[1]();
}

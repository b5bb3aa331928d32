/** The catalogue's configs: five kilobytes zipped, so that they come at once. */
const FILES = import.meta.glob<Readonly<Record<string, unknown>>>(
  "../../../models/catalog/*.json",
  {
    import: "default",
    eager: true,
  },
);

const idOf = (path: string): string =>
  (path.split("/").at(-1) ?? "").replace(/\.json$/, "").replace("--", "/");

const CONFIGS = new Map(Object.entries(FILES).map(([path, config]) => [idOf(path), config]));

export const CATALOG_IDS: readonly string[] = [...CONFIGS.keys()].sort();

/** Throws for an id that is not of the catalogue. */
export function catalogConfig(id: string): Readonly<Record<string, unknown>> {
  const found = CONFIGS.get(id);
  if (found === undefined) throw new Error(`${id} is not in the catalogue.`);
  return found;
}

/** The catalogue's configs: five kilobytes zipped, so that they come at once. */
import { idOfFile } from "./catalog-ids.ts";

const FILES = import.meta.glob<Readonly<Record<string, unknown>>>(
  "../../../models/catalog/*.json",
  {
    import: "default",
    eager: true,
  },
);

const CONFIGS = new Map(
  Object.entries(FILES).map(([path, config]) => [idOfFile(path.split("/").at(-1) ?? ""), config]),
);

/** Throws for an id that is not of the catalogue. */
export function catalogConfig(id: string): Readonly<Record<string, unknown>> {
  const found = CONFIGS.get(id);
  if (found === undefined) throw new Error(`${id} is not in the catalogue.`);
  return found;
}

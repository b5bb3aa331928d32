/** Models that a page proposes; their configs come with the engine (catalog.ts). */
declare const CATALOG_FILES: readonly string[]; // vite.config.ts reads the folder

/** `publisher--name.json` → `publisher/name` */
export const idOfFile = (name: string): string => name.replace(/\.json$/, "").replace("--", "/");

export const CATALOG_IDS: readonly string[] = CATALOG_FILES.map(idOfFile).sort();

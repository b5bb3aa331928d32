/**
 * The pages, bundled twice: `vite build server/web` to dist/server/web, as a server gives them out, and with
 * `--mode saved` to dist/server/saved-page, as one script and one style for a file that needs no server.
 * Nothing is fetched but these files.
 */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig, type UserConfig } from "vite";

const source = (name: string): string => fileURLToPath(new URL(`src/${name}`, import.meta.url));

const catalog = readdirSync(new URL("../../models/catalog", import.meta.url));

const common: UserConfig = {
  // A page proposes models by name; their configs are the engine's.
  define: { CATALOG_FILES: JSON.stringify(catalog.filter((name) => name.endsWith(".json"))) },
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
};

const build = {
  emptyOutDir: true,
  chunkSizeWarningLimit: 2000,
  target: "es2022",
  modulePreload: { polyfill: false },
  reportCompressedSize: false,
} as const;

const served: UserConfig = {
  ...common,
  build: {
    ...build,
    outDir: "../../dist/server/web",
    assetsInlineLimit: 0, // an inlined font or icon would need data: in the policy
  },
  worker: { format: "es" },
};

/** Its engine is a text in the script: a file has no folder to fetch a worker from. */
const saved: UserConfig = {
  ...common,
  resolve: {
    alias: [
      { find: /^.*\/start-engine\.ts$/, replacement: source("start-engine.saved.ts") },
      // As an icon it would stay a file of its own.
      { find: /^.*\/mark\.svg$/, replacement: `${source("mark.svg")}?inline` },
    ],
  },
  build: {
    ...build,
    outDir: "../../dist/server/saved-page",
    assetsInlineLimit: Number.MAX_SAFE_INTEGER,
    cssCodeSplit: false,
    rolldownOptions: {
      output: {
        codeSplitting: false,
        entryFileNames: "page.js",
        assetFileNames: "page.[ext]",
      },
    },
  },
  worker: { format: "iife", rolldownOptions: { output: { codeSplitting: false } } },
};

export default defineConfig(({ mode }) => (mode === "saved" ? saved : served));

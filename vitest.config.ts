import { defineConfig } from "vitest/config";

const COMPILED = "test/support/compiled.ts";

interface Ways {
  readonly globalSetup?: readonly string[];
  /** false: a worker loads modules once, not once a file; its tests leave no state in them. */
  readonly isolate?: boolean;
}

const project = (name: string, timeoutSeconds: number, { globalSetup = [], isolate }: Ways) => ({
  test: {
    name,
    isolate: isolate ?? true,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutSeconds * 1000,
    hookTimeout: timeoutSeconds * 1000,
    setupFiles: ["test/support/setup.ts"],
    globalSetup: [...globalSetup],
    expect: { poll: { interval: 5, timeout: 20_000 } },
  },
});

export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    // With --coverage, as CI runs the whole suite: floors of what it reaches in this process. Threads
    // and processes of their own are not counted.
    coverage: {
      provider: "v8",
      include: ["server/**/*.ts", "engine/**/*.ts", "scripts/commands/**/*.ts"],
      exclude: ["server/web/**"],
      reporter: ["text-summary"],
      thresholds: {
        "engine/**": { lines: 90, branches: 90 },
        "server/**": { lines: 90, branches: 90 },
        "scripts/commands/**": { lines: 80, branches: 80 },
      },
    },
    projects: [
      project("unit", 20, { isolate: false }),
      project("conformance", 60, { globalSetup: [COMPILED] }),
      project("api", 60, { globalSetup: [COMPILED], isolate: false }),
      project("e2e", 120, { globalSetup: [COMPILED, "test/support/build-pages.ts"] }),
      project("compat", 120, { globalSetup: [COMPILED] }),
    ],
  },
});

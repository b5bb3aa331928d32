import { defineConfig } from "vitest/config";

const COMPILED = "test/support/compiled.ts";

const project = (name: string, timeoutSeconds: number, globalSetup: readonly string[] = []) => ({
  test: {
    name,
    // A worker loads modules once, not once a file: tests leave no state in them. Those of e2e begin alone.
    isolate: name === "e2e",
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutSeconds * 1000,
    hookTimeout: timeoutSeconds * 1000,
    setupFiles: ["test/support/setup.ts"],
    globalSetup: [...globalSetup],
    // Shorter than the test: what was waited for is told.
    expect: { poll: { interval: 5, timeout: Math.min(20_000, timeoutSeconds * 500) } },
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
      project("unit", 20),
      project("conformance", 60, [COMPILED]),
      project("api", 60, [COMPILED]),
      project("e2e", 120, [COMPILED, "test/support/build-pages.ts"]),
      project("compat", 120, [COMPILED]),
    ],
  },
});

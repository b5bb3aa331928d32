import { defineConfig } from "vitest/config";

const project = (name: string, timeoutSeconds: number, globalSetup: readonly string[] = []) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutSeconds * 1000,
    hookTimeout: timeoutSeconds * 1000,
    setupFiles: ["test/support/setup.ts"],
    globalSetup: [...globalSetup],
  },
});

export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    // With --coverage (npm run test:coverage): what unit tests have to reach. Not in npm test.
    coverage: {
      provider: "v8",
      include: ["engine/**/*.ts"],
      reporter: ["text"],
      thresholds: { "engine/**": { lines: 90, branches: 90 } },
    },
    projects: [
      project("unit", 20),
      project("conformance", 60),
      project("api", 60),
      project("e2e", 120, ["test/support/build-pages.ts"]),
      project("compat", 120),
    ],
  },
});

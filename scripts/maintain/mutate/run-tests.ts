/** Runs unit tests with one fault planted in memory; told by main.ts in the environment. */
import { resolve } from "node:path";
import { startVitest } from "vitest/node";
import { type Mutant, planted } from "./mutants.ts";

interface Order {
  readonly mutant?: Mutant;
  readonly tests: string;
}

const NOTHING_RAN = 3;

const { mutant, tests } = JSON.parse(process.env["MUTANT"] ?? "") as Order; // written by main.ts
const root = process.cwd();

const vitest = await startVitest(
  "test",
  [],
  {
    root,
    config: false,
    include: [`${tests}/**/*.test.ts`],
    exclude: ["**/architecture.test.ts"], // reads sources, not what runs
    setupFiles: ["test/support/setup.ts"],
    pool: "forks",
    maxWorkers: 1,
    watch: false,
    bail: 1,
    passWithNoTests: true,
    testTimeout: 20_000,
    reporters: [{}],
    ...(mutant !== undefined && { related: [resolve(root, mutant.file)] }),
  },
  {
    plugins: [
      {
        name: "fault",
        enforce: "pre",
        transform: (code: string, id: string) =>
          mutant !== undefined && id === resolve(root, mutant.file)
            ? planted(code, mutant)
            : undefined,
      },
    ],
  },
);
const modules = vitest.state.getTestModules();
const failed =
  modules.some((module) => !module.ok()) || vitest.state.getUnhandledErrors().length > 0;
await vitest.close();
process.exit(modules.length === 0 ? NOTHING_RAN : failed ? 1 : 0);

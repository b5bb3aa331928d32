/**
 * Runs test files with one fault planted in memory, order after order: what was
 * loaded for the last one is kept, but for the file with the fault. Started by main.ts.
 */
import { resolve } from "node:path";
import { createVitest } from "vitest/node";
import { type Mutant, planted } from "./mutants.ts";

export interface Order {
  readonly mutant?: Mutant;
  readonly tests: readonly string[];
}

export interface Answer {
  readonly failed: boolean;
  /** The first test that failed. */
  readonly by?: string;
}

const root = process.cwd();
let planting: Mutant | undefined;

const vitest = await createVitest(
  "test",
  {
    root,
    config: false,
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/support/setup.ts"],
    globalSetup: ["test/support/compiled.ts"],
    expect: { poll: { interval: 5, timeout: 20_000 } },
    pool: "forks",
    maxWorkers: 1,
    watch: false,
    bail: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: [{}],
  },
  {
    plugins: [
      {
        name: "fault",
        enforce: "pre",
        transform: (code: string, id: string) =>
          planting !== undefined && id === resolve(root, planting.file)
            ? planted(code, planting)
            : undefined,
      },
    ],
  },
);
await vitest.standalone();
const project = vitest.getRootProject();

async function answer({ mutant, tests }: Order): Promise<Answer> {
  const changed = [planting, mutant].flatMap((one) => (one === undefined ? [] : [one.file]));
  planting = mutant;
  for (const file of changed) vitest.invalidateFile(resolve(root, file));
  // One after another: a near test that fails spares those further away.
  for (const test of tests) {
    // The runner counts what failed in earlier runs against `bail` too.
    vitest.state.filesMap.clear();
    vitest.state.idMap.clear();
    const path = resolve(root, test);
    const { testModules, unhandledErrors } = await vitest.runTestSpecifications([
      project.createSpecification(path),
    ]);
    const module = testModules.find(({ moduleId }) => moduleId === path);
    if (module?.ok() === true && unhandledErrors.length === 0) continue;
    const [failed] = [...(module?.children.allTests("failed") ?? [])];
    return { failed: true, by: failed === undefined ? test : `${test} > ${failed.fullName}` };
  }
  return { failed: false };
}

process.on("message", (order: Order) => {
  void answer(order).then((its) => process.send?.(its));
});
process.send?.("ready");

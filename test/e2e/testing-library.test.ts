/** An application's own suite, with this package installed beside it: vitest runs it, its types are checked. */
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectPath } from "../../models/weights/project-files.ts";
import { type SampleProject, sampleProject } from "../../scripts/maintain/check/sample-project.ts";

let project: SampleProject;

beforeAll(() => {
  project = sampleProject();
}, 300_000);

afterAll(() => rmSync(project.folder, { recursive: true }));

const run = (...argv: readonly string[]) =>
  spawnSync(process.execPath, argv, { encoding: "utf8", cwd: project.folder });

describe("a sample application", () => {
  it("passes its twenty tests", () => {
    const out = join(project.folder, "results.json");
    const { stdout } = run(project.vitest, "run", "--reporter=json", `--outputFile=${out}`);
    const results = JSON.parse(readFileSync(out, "utf8"));
    expect(results.numFailedTests, stdout).toBe(0);
    expect(results.numPassedTests).toBe(20);
  }, 300_000);

  it("is of the types that the package declares", () => {
    const { stdout, status } = run(
      projectPath("node_modules", "typescript", "bin", "tsc"),
      "-p",
      ".",
    );
    expect(stdout).toBe("");
    expect(status).toBe(0);
  }, 300_000);
});

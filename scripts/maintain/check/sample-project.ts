/** The sample application in a folder of its own, with this package as it would be installed. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectPath } from "../../../models/weights/project-files.ts";

export interface SampleProject {
  /** Whoever asked removes it. */
  readonly folder: string;
  /** vitest's own script. */
  readonly vitest: string;
}

/** Compiles the sources as they stand. Throws what the compiler says. */
export function sampleProject(): SampleProject {
  const folder = mkdtempSync(join(tmpdir(), "trainyard-sample-"));
  cpSync(projectPath("test", "sample"), folder, { recursive: true });
  const installed = join(folder, "node_modules");
  const own = join(installed, "trainyard");
  mkdirSync(own, { recursive: true });
  const theirs = projectPath("node_modules");
  for (const name of readdirSync(theirs)) {
    if (!name.startsWith(".")) symlinkSync(join(theirs, name), join(installed, name));
  }
  cpSync(projectPath("package.json"), join(own, "package.json"));
  symlinkSync(projectPath("models"), join(own, "models"));
  const { status, stdout } = spawnSync(
    process.execPath,
    [
      ...[join(theirs, "typescript", "bin", "tsc"), "-p", projectPath("tsconfig.build.json")],
      ...["--outDir", join(own, "dist")],
    ],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(stdout);
  return { folder, vitest: join(theirs, "vitest", "vitest.mjs") };
}

/**
 * The three packages with native code travel inside ours (`bundleDependencies`), so
 * that installing it asks nobody but the registry: their install scripts go, which
 * would fetch CUDA files or compile, and so do the files of other systems. What
 * Linux on x64 and arm64 needs stays, and what this machine needs. Plain
 * JavaScript, because nothing is built yet.
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Dependencies that only an installer needs. */
const INSTALLERS = ["adm-zip", "global-agent", "node-addon-api"];

const STAGED = {
  "onnxruntime-node": (folder) => {
    const bin = join(folder, "bin", "napi-v6");
    keep(bin, (name) => name === "linux" || name === process.platform);
    keep(folder, (name) => name !== "script");
  },
  tokenizers: (folder) =>
    keep(
      folder,
      (name) =>
        !name.endsWith(".node") ||
        /\.linux-(x64|arm64)-/.test(name) ||
        name.includes(`.${process.platform}-`),
    ),
  zeromq: (folder) => {
    keep(join(folder, "build"), (name) => /^(linux|manifest\.json)$/.test(name) || name === process.platform);
    for (const arch of ["x64", "arm64"]) {
      // Builds for Node below 20, whose interface has another number.
      keep(
        join(folder, "build", "linux", arch, "node"),
        (name) => Number(/(\d+)/.exec(name)?.[1]) >= 115,
      );
    }
    keep(folder, (name) => !["script", "src", "CMakeLists.txt", "vcpkg.json"].includes(name));
  },
};

export const BUNDLED = Object.keys(STAGED);

/** Does again what is done already without harm. */
export function stageBundled(root) {
  for (const [name, trim] of Object.entries(STAGED)) {
    const folder = join(root, "node_modules", name);
    const file = join(folder, "package.json");
    if (!existsSync(file)) continue;
    const manifest = JSON.parse(readFileSync(file, "utf8"));
    if (manifest.scripts === undefined) continue;
    const { scripts: _scripts, devDependencies: _dev, ...rest } = manifest;
    const dependencies = Object.fromEntries(
      Object.entries(rest.dependencies ?? {}).filter(([its]) => !INSTALLERS.includes(its)),
    );
    trim(folder);
    // Last, and as a new file: until then the next call begins again.
    writeFileSync(`${file}.part`, `${JSON.stringify({ ...rest, dependencies }, null, 2)}\n`);
    renameSync(`${file}.part`, file);
  }
}

function keep(folder, wanted) {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    if (!wanted(name)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

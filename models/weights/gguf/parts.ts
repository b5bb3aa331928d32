/** A model in several GGUF files, as llama-gguf-split writes them: the first has the metadata, each its own tensors. */
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { CheckpointError } from "../checkpoint.ts";
import { isLfsPointer } from "../files.ts";
import { type GgufFile, readGguf } from "./file.ts";

/** `PREFIX-00002-of-00003.gguf` */
const NAME = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;
/** As many as the names can count. */
const MOST_PARTS = 99_999;

/** The file, with the tensors of all its parts. Throws CheckpointError that names the part that is missing or another's. */
export function readParts(path: string): GgufFile {
  const first = readFile(path);
  const count = first.metadata.get("split.count") ?? 1;
  if (typeof count !== "number" || !Number.isInteger(count) || count < 0 || count > MOST_PARTS)
    throw new CheckpointError(`${path}: damaged: key "split.count" says ${count}`);
  if (count <= 1) return first;
  const [, prefix] = NAME.exec(basename(path)) ?? [];
  if (prefix === undefined)
    throw new CheckpointError(
      `${path}: key "split.count" says it is one of ${count} files, which are found by their names; call it NAME-00001-of-${five(count)}.gguf again`,
    );
  const nameOf = (part: number): string =>
    join(dirname(path), `${prefix}-${five(part)}-of-${five(count)}.gguf`);
  const number = numberOf(first);
  if (number !== 0)
    throw new CheckpointError(
      `${path}: part ${number + 1} of ${count} of a model; give the first, ${basename(nameOf(1))}`,
    );
  const tensors = new Map(first.tensors.map((tensor) => [tensor.name, tensor]));
  for (let part = 2; part <= count; part++) {
    const other = nameOf(part);
    if (!existsSync(other))
      throw new CheckpointError(
        `${other}: no such file, though ${basename(path)} says that it is one of ${count}; fetch it too`,
      );
    const file = readFile(other);
    if (numberOf(file) !== part - 1 || file.metadata.get("split.count") !== count)
      throw new CheckpointError(
        `${other}: key "split.no" says it is another part than ${part} of ${count}; fetch it again`,
      );
    for (const tensor of file.tensors) {
      const twice = tensors.get(tensor.name);
      if (twice !== undefined)
        throw new CheckpointError(
          `${other}: tensor "${tensor.name}" is in ${twice.file} too; the parts are of several models`,
        );
      tensors.set(tensor.name, tensor);
    }
  }
  return { ...first, tensors: [...tensors.values()] };
}

function readFile(path: string): GgufFile {
  if (isLfsPointer(path))
    throw new CheckpointError(
      `${path}: a Git LFS pointer, not the file; run git lfs pull in the folder`,
    );
  return readGguf(path);
}

const five = (number: number): string => String(number).padStart(5, "0");

/** Of a part, from 0. */
function numberOf({ metadata }: GgufFile): number {
  const number = metadata.get("split.no");
  return typeof number === "number" ? number : 0;
}

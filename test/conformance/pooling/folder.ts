/** Folders of embedders, rerankers and classifiers as they are published, their weights drawn again. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { seeded } from "../../support/random-model.ts";
import { writeSafetensors } from "../../support/safetensors.ts";

export interface FolderGolden {
  readonly name: string;
  /** Path → text, or JSON. */
  readonly files: Readonly<Record<string, unknown>>;
  readonly tensors: readonly (readonly [string, readonly number[], number, number])[];
  readonly positions: boolean;
  readonly embeddings?: readonly { readonly input: string | number[]; readonly vector: number[] }[];
  readonly logits?: readonly { readonly input: string | number[]; readonly logits: number[] }[];
  readonly pairs?: readonly {
    readonly pair: readonly [string, string];
    readonly ids: readonly number[];
    readonly logits: readonly number[];
  }[];
}

export const FOLDERS = JSON.parse(
  readFileSync(new URL("folders.json", import.meta.url), "utf8"),
) as readonly FolderGolden[];

export function folderNamed(name: string): FolderGolden {
  const found = FOLDERS.find((one) => one.name === name);
  if (found === undefined) throw new Error(`There is no folder ${name}.`);
  return found;
}

/** Writes it under `work`; its path. */
export function makeFolder(
  work: string,
  { name, files, tensors, positions }: FolderGolden,
): string {
  const folder = join(work, name);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(
      join(folder, path),
      typeof content === "string" ? content : JSON.stringify(content),
    );
  }
  const random = seeded(1);
  const drawn = tensors.map(([tensor, shape, centre, half]) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const data = Float32Array.from({ length: count }, () => centre + half * (2 * random() - 1));
    return [tensor, { dtype: "F32" as string, shape, data }] as const;
  });
  const ids = new Float32Array(new BigInt64Array(128).map((_, at) => BigInt(at)).buffer);
  const buffer = [
    "embeddings.position_ids",
    { dtype: "I64" as string, shape: [1, 128], data: ids },
  ] as const;
  writeSafetensors(
    join(folder, "model.safetensors"),
    new Map(positions ? [...drawn, buffer] : drawn),
  );
  return folder;
}

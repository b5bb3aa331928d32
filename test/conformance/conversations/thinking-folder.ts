/**
 * The bundled model with a thought in its stories: the token " time" of "Once upon a
 * time" is renamed to the closing mark, a rare one to the opening mark. Weights stay.
 */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface TokenizerFile {
  readonly added_tokens: { id: number; content: string }[];
  readonly model: { vocab: Record<string, number>; merges: (readonly [string, string])[] };
}

const RENAMED = { Ġtime: "</think>", vas: "<think>" } as const;

export function makeThinkingFolder(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
  const path = join(to, "tokenizer.json");
  const file = JSON.parse(readFileSync(path, "utf8")) as TokenizerFile; // the bundled model's
  const { vocab } = file.model;
  const like = file.added_tokens.at(-1);
  for (const [word, mark] of Object.entries(RENAMED)) {
    const id = vocab[word];
    if (id === undefined || like === undefined) throw new Error(`${from} has no token ${word}.`);
    delete vocab[word];
    vocab[mark] = id;
    file.added_tokens.push({ ...like, id, content: mark });
    file.model.merges = file.model.merges.filter((pair) => pair.join("") !== word);
  }
  file.added_tokens.sort((one, other) => one.id - other.id);
  writeFileSync(path, JSON.stringify(file));
}

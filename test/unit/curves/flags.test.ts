import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { nearest } from "../../../models/nearest.ts";
import { catalogIds } from "../../../models/weights/folder.ts";
import { ownWords } from "../../../scripts/commands/flags.ts";
import { COMMAND_TABLES, flagsDocument } from "../../../scripts/maintain/flags-document.ts";

describe("flags of the commands", () => {
  it("are what FLAGS.md says", () => {
    expect(readFileSync("scripts/commands/FLAGS.md", "utf8")).toBe(flagsDocument());
  });

  it("mark what is a key as secret", () => {
    const open = Object.entries(COMMAND_TABLES).flatMap(([command, table]) =>
      Object.entries(table)
        .filter(([flag, row]) => /key|token$|header|password/.test(flag) && row.secret !== true)
        .map(([flag]) => `${command} --${flag}`),
    );
    expect(open).toEqual([]);
  });
});

describe("flags among another table's", () => {
  const { "trainyard run-batch": table = {} } = COMMAND_TABLES;

  it("are taken out with their values, however they are spelt", () => {
    expect(ownWords(table, ["-i", "a", "m", "--port", "1", "--output_file=b", "--seed=2"])).toEqual(
      {
        own: ["--input-file", "a", "--output-file=b"],
        rest: ["m", "--port", "1", "--seed=2"],
      },
    );
    expect(() => ownWords(table, ["-o"])).toThrow("--output-file needs a value");
  });
});

describe("nearest names", () => {
  it.each([
    ["meta-lama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"],
    ["Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"],
    ["qwen/qwen3-8b", "Qwen/Qwen3-8B"],
    ["openai/gpt-os-120b", "openai/gpt-oss-120b"],
    ["gpt-oss-02b", "openai/gpt-oss-20b"],
    ["Qwen/Qwen2.5-7B-Instrcut", "Qwen/Qwen2.5-7B-Instruct"],
  ])("of %s begin with %s", (typed, meant) => {
    expect(nearest(typed, catalogIds())[0]).toBe(meant);
  });

  it("are none for what is like nothing", () => {
    expect(nearest("xyzzy", catalogIds())).toEqual([]);
    expect(nearest("modls", ["models", "serve"])).toEqual(["models"]);
  });
});

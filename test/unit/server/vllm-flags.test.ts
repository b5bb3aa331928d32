/** Every flag of `vllm serve` 0.32 has a place here: none is unknown. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ACCEPTED } from "../../../server/settings/accepted.ts";
import { readCommandLine } from "../../../server/settings/command-line.ts";
import { isKnown, isSwitch, SHORT } from "../../../server/settings/flags.ts";
import { REFUSED } from "../../../server/settings/refused.ts";
import { TABLE } from "../../../server/settings/table.ts";

interface VllmFlag {
  readonly flag: string;
  readonly also?: readonly string[];
  readonly takes: "switch" | "value" | "values";
  readonly negatable?: boolean;
  readonly short?: readonly string[];
}

const FLAGS = JSON.parse(
  readFileSync(new URL("vllm-flags.json", import.meta.url), "utf8"),
) as readonly VllmFlag[]; // written by scripts/maintain/goldens/vllm_flags.py

const SILENT = { out: () => {}, err: () => {} };

describe("the flags of vllm serve 0.32", () => {
  it("are 316, beside --help", () => {
    expect(FLAGS).toHaveLength(316);
  });

  it("are all known", () => {
    const names = FLAGS.flatMap(({ flag, also = [] }) => [flag, ...also]);
    expect(names.filter((name) => !isKnown(name))).toEqual([]);
  });

  it("stand in one table each", () => {
    const tables = [TABLE, ACCEPTED, REFUSED];
    const twice = Object.keys({ ...TABLE, ...ACCEPTED, ...REFUSED }).filter(
      (name) => tables.filter((table) => Object.hasOwn(table, name)).length > 1,
    );
    expect(twice).toEqual([]);
  });

  it("are switches where vLLM's are", () => {
    const wrong = FLAGS.filter(({ flag, takes }) => isSwitch(flag) !== (takes === "switch"));
    expect(wrong).toEqual([]);
  });

  it("have vLLM's short spellings", () => {
    const wrong = FLAGS.flatMap(({ flag, short = [] }) =>
      short.filter((spelling) => SHORT.get(spelling) !== flag),
    );
    expect(wrong).toEqual([]);
  });

  it.each([
    ["long", ({ flag }: VllmFlag) => [`--${flag}`]],
    ["with underscores", ({ flag }: VllmFlag) => [`--${flag.replaceAll("-", "_")}`]],
    ["short", ({ short = [] }: VllmFlag) => short],
    ["other", ({ also = [] }: VllmFlag) => also.map((name) => `--${name}`)],
  ])("are read %s", (_, spellings) => {
    const argv = FLAGS.filter(({ flag }) => flag !== "model").flatMap((flag) =>
      spellings(flag).flatMap((word) =>
        flag.takes === "switch" ? [word] : flag.takes === "value" ? [word, "1"] : [word, "1", "2"],
      ),
    );
    const texts = readCommandLine(argv, SILENT);
    const named = FLAGS.filter((flag) => flag.flag !== "model" && spellings(flag).length > 0);
    expect(texts.size).toBe(named.length);
    expect(texts.has("model")).toBe(false);
  });

  it("are turned off by --no-", () => {
    const negatable = FLAGS.filter((flag) => flag.negatable);
    const texts = readCommandLine(
      negatable.map(({ flag }) => `--no-${flag}`),
      SILENT,
    );
    expect(negatable.filter(({ flag }) => texts.get(flag) !== "false")).toEqual([]);
  });
});

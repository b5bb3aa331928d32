/** Which ids of an output count as its thought. */
import { expect, it } from "vitest";
import { ThoughtCounter } from "../../../server/generation/reasoning/count.ts";
import { reasoningFormat } from "../../../server/generation/reasoning/registry.ts";
import { splitterOf } from "../../../server/generation/reasoning/splitter.ts";

function counted(name: string, ...words: readonly string[]): number {
  const format = reasoningFormat(name);
  if (format === undefined) throw new Error(`There is no ${name}.`);
  const decoder = { push: (id: number) => words[id] ?? "", end: () => "" };
  const marks = { marks: format.marks, endIds: [] };
  const counter = new ThoughtCounter(decoder, splitterOf(format), marks);
  counter.push(words.map((_, id) => id));
  return counter.count;
}

it("are those between marks", () => {
  expect(counted("qwen3", "a", " b", "</think>", "c", "</think>", "d")).toBe(2);
  expect(counted("glm45", "<think>", "a", "<think>", "b", "</think>", "c")).toBe(2);
});

it("are those of a thought that opens again, too", () => {
  expect(counted("glm45", "a", "</think>", "b", "<think>", "c", "d", "</think>", "e")).toBe(3);
});

it("are none where no thought has begun", () => {
  expect(counted("mistral", "Hi", " there")).toBe(0);
  expect(counted("mistral", "[TOOL_CALLS]", "f", "{", "}")).toBe(0);
  expect(counted("mistral", "Hi", "[THINK]", "a", "b", "[/THINK]", "c")).toBe(2);
  expect(counted("granite", "Hi", " there")).toBe(0);
});

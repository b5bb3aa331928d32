import { describe, expect, it } from "vitest";
import { statusOf } from "../../../server/openai/responses/describe.ts";

type Generation = Parameters<typeof statusOf>[0];

describe("the status of a response", () => {
  it.each([
    ["stop", "completed"],
    ["tool_calls", "completed"],
    ["length", "incomplete"],
    ["abort", "cancelled"],
    ["error", "failed"],
  ])("that ended by %s is %s", (reason, status) => {
    const generation = { choices: [{ finish: { reason } }] } as unknown as Generation;
    expect(statusOf(generation)).toBe(status);
  });
});

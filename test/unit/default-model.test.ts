import { describe, expect, it } from "vitest";
import { parseSettings } from "../../server/config.ts";
import { withDefaultModel } from "../../server/world/default-model.ts";

describe("the default model", () => {
  const of = (...argv: string[]) => withDefaultModel(parseSettings(argv));
  const big = {
    model: "meta-llama/Llama-3.1-8B-Instruct",
    device: "trainium",
    "tensor-parallel-size": 4,
  };

  it("is a big one at its pace when nothing is named", () => {
    expect(of()).toMatchObject(big);
    expect(of("--device", "trainium")).toMatchObject(big);
    expect(of("--tensor-parallel-size", "2")).toMatchObject({ ...big, "tensor-parallel-size": 2 });
  });

  it("gives way to a model or another device", () => {
    expect(of("models/tiny/llama")).toMatchObject({ device: undefined, "tensor-parallel-size": 1 });
    const cpu = of("--device", "cpu");
    expect(cpu).toMatchObject({ device: "cpu", "tensor-parallel-size": 1 });
    expect(cpu.model).toBeUndefined();
  });

  it("hears the environment as well", () => {
    const parsed = parseSettings([], { TRAINYARD_DEVICE: "cpu" });
    expect(withDefaultModel(parsed).model).toBeUndefined();
  });
});

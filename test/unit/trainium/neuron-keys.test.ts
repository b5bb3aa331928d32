import { describe, expect, it } from "vitest";
import { checkNeuronKeys } from "../../../device/trainium/neuron-keys.ts";

describe("--additional-config", () => {
  it("may have the plug-in's keys", () => {
    expect(() =>
      checkNeuronKeys({ override_neuron_config: {} }, { batch_size: 4, enable_bucketing: true }),
    ).not.toThrow();
  });

  it.each([
    [{ hbm_bandwidth: 2 }, {}, 'the key "hbm_bandwidth" is not known; known are neuron_config'],
    [{ batch_size: 2 }, {}, "Write it inside neuron_config"],
    [{ neuron_config: {} }, { batchsize: 2 }, 'neuron_config has no key "batchsize"'],
    [{ neuron_config: {} }, { constructor: 1 }, 'neuron_config has no key "constructor"'],
  ])("has no key of %j with %j", (outer, inner, message) => {
    expect(() => checkNeuronKeys(outer, inner)).toThrow(message);
  });
});

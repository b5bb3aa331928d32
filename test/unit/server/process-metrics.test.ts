import { Registry } from "prom-client";
import { expect, it } from "vitest";
import { addProcessSeries } from "../../../server/metrics/process-metrics.ts";

it("are the same for each server of the process, so that one that is closed is let go", async () => {
  const registries = [new Registry(), new Registry()];
  for (const registry of registries) addProcessSeries(registry);
  const [first, second] = registries.map((registry) =>
    registry.getMetricsAsArray().map(({ name }) => registry.getSingleMetric(name)),
  );
  expect(first?.length).toBeGreaterThan(10);
  for (const [index, metric] of (first ?? []).entries()) expect(second?.[index]).toBe(metric);
  for (const registry of registries) {
    expect(await registry.metrics()).toMatch(/^process_resident_memory_bytes \d{6,}$/m);
  }
});

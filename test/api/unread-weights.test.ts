/** A folder whose weights are not read is never served as a simulation that nobody asked for. */
import { cpSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseSettings } from "../../server/config.ts";
import { buildWorld } from "../../server/world/world.ts";

describe("a folder with a shard and no index", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "unread-"));
    cpSync("models/tiny/llama", folder, { recursive: true });
    const shard = join(folder, "model-00001-of-00001.safetensors");
    renameSync(join(folder, "model.safetensors"), shard);
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const world = (...flags: string[]) => buildWorld(parseSettings([folder, ...flags]).settings);

  it("is refused by name, on any device that needs weights", async () => {
    await expect(world()).rejects.toThrow(/model-00001-of-00001\.safetensors: shards without/);
    await expect(world("--device", "cpu")).rejects.toThrow(/cpu device needs weights.*00001-of/);
    await expect(world("--device", "trainium", "--values", "weights")).rejects.toThrow(
      /--values weights: .*00001-of-00001\.safetensors/,
    );
  });

  it("is simulated where that is asked for", async () => {
    const simulated = await world("--device", "trainium", "--values", "synthetic");
    expect(simulated.device.name).toBe("trainium");
    await simulated.close();
  });
});

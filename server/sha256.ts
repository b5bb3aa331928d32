/** The runtime's SHA-256, for whoever makes an engine: the engine itself runs where there is no Node, too. */
import { hash } from "node:crypto";
import type { Sha256 } from "../engine/kv/block-hash.ts";

export const sha256: Sha256 = (bytes) => hash("sha256", bytes, "binary");

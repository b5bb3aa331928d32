/** What each op of a layer is for: fusions cover roles, profiles group by them. */
import type { Op } from "../../models/ops.ts";

export type Role =
  | "embedding"
  | "attention-norm"
  | "qkv"
  | "qk-norm"
  | "rope"
  | "attention"
  | "attention-out"
  | "mlp-norm"
  | "gate-up"
  | "activation"
  | "down"
  | "router"
  | "experts"
  | "shared"
  | "residual"
  | "final-norm"
  | "head"
  | "select";

/** Module of the profile's hierarchy that a role belongs to. */
export function moduleOf(role: Role): string {
  switch (role) {
    case "attention-norm":
    case "qkv":
    case "qk-norm":
    case "rope":
    case "attention":
    case "attention-out":
      return "self_attn";
    case "mlp-norm":
    case "gate-up":
    case "activation":
    case "down":
    case "router":
    case "experts":
    case "shared":
      return "mlp";
    case "residual":
      return "residual";
    case "embedding":
      return "embed_tokens";
    case "final-norm":
    case "head":
    case "select":
      return "lm_head";
  }
}

/** Roles of a layer's ops, by where they stand around attention and router. */
export function layerRoles(ops: readonly Op[]): readonly Role[] {
  let attended = false;
  let projected = false;
  let routed = false;
  let normed = false;
  return ops.map((op): Role => {
    switch (op.op) {
      case "rms-norm":
        if (attended) return "mlp-norm";
        if (!normed) {
          normed = true;
          return "attention-norm";
        }
        return "qk-norm";
      case "rope":
        return "rope";
      case "attention":
      case "latent-attention":
        attended = true;
        return "attention";
      case "linear":
        if (!attended) return "qkv";
        if (!projected) {
          projected = true;
          return "attention-out";
        }
        if (routed) return "shared";
        return op.partial ? "down" : "gate-up";
      case "gated-activation":
        return routed ? "shared" : "activation";
      case "router":
        routed = true;
        return "router";
      case "experts":
        return "experts";
      case "add":
        return "residual";
      case "embed":
        return "embedding";
      default:
        return "select";
    }
  });
}

/** Roles of the prologue and epilogue. */
export function edgeRole(op: Op): Role {
  switch (op.op) {
    case "embed":
      return "embedding";
    case "rms-norm":
      return "final-norm";
    case "linear":
      return "head";
    default:
      return "select";
  }
}

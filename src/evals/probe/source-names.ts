/** Sources of CAPI's probes by their published names: `cls` is the global vector, `patch` all patches, to be pooled. */
export const capiSourceNames = ['cls', 'avg_patch', 'cls_avg_patch', 'patch'] as const;

/** Sources of MIM-Refiner's probes: from the encoder's result (`last1`), or its last four blocks side by side (`last4`). */
export const mimSourceNames = [
  'cls_last1',
  'cls_last4',
  'avg_patch_last1',
  'avg_patch_last4',
  'cls_avg_patch_last1',
  'cls_avg_patch_last4',
] as const;

export type CapiSourceName = (typeof capiSourceNames)[number];
export type SourceName = CapiSourceName | (typeof mimSourceNames)[number];

/** CAPI's ways to scale features, by its names, and none. Needs no engine. */
export const scalerNames = [
  'none',
  'center',
  'center_div',
  'StandardScaler',
  'RobustScaler',
  'pca',
  'pca_whiten',
] as const;

export type ScalerName = (typeof scalerNames)[number];

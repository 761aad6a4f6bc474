/** Beginnings of parameter names of ours and of the published CAPI code, where they differ. */
const beginnings = [
  ['backbone.encoder.registers', 'backbone.registers'],
  ['backbone.encoder.patch_embed.', 'backbone.patch_embed.'],
  ['backbone.predictor.mask_token', 'backbone.mask_token'],
  ['backbone.predictor.blocks.', 'backbone.decoder.blocks.'],
] as const;

/** The published name of one of our parameters. */
export function publishedCapiName(name: string): string {
  for (const [ours, theirs] of beginnings) if (name.startsWith(ours)) return theirs + name.slice(ours.length);
  return name;
}

/** Our name of a published parameter. */
export function capiNameFromPublished(name: string): string {
  for (const [ours, theirs] of beginnings) if (name.startsWith(theirs)) return ours + name.slice(theirs.length);
  return name;
}

/** The package has its types in this one, but does not say so to ES modules. */
declare module 'onnxruntime-node' {
  export * from 'onnxruntime-common';
}

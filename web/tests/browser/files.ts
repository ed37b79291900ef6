/** Binary files as their formats describe them, for what tests upload. */

/** NPY version 1.0 (NEP 1): uint8 in C order. */
export function npy(shape: readonly number[], pixels: Uint8Array): Uint8Array<ArrayBuffer> {
    const dictionary = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
    // Magic string, version and length are 10 bytes; all of it is padded to a multiple of 64 and ends with a line feed.
    const padded = dictionary.padEnd(Math.ceil((10 + dictionary.length + 1) / 64) * 64 - 10 - 1) + '\n';
    const file = new Uint8Array(10 + padded.length + pixels.length);
    file.set([0x93, ...Buffer.from('NUMPY'), 1, 0, padded.length & 255, padded.length >> 8]);
    file.set(Buffer.from(padded, 'latin1'), 10);
    file.set(pixels, 10 + padded.length);
    return file;
}

/** A safetensors file: the header's length, the header, the tensors' bytes, all little-endian. */
export function safetensors(tensors: Readonly<Record<string, { shape: readonly number[]; values: Float32Array }>>): Buffer {
    const header: Record<string, unknown> = {};
    let offset = 0;
    for (const [name, { shape, values }] of Object.entries(tensors)) {
        header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + values.byteLength] };
        offset += values.byteLength;
    }
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    const data = Object.values(tensors).map(({ values }) => Buffer.from(values.buffer, values.byteOffset, values.byteLength));
    return Buffer.concat([length, json, ...data]);
}

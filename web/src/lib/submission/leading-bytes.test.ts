import { expect, test } from 'vitest';
import { contentOf } from './leading-bytes';

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

test.each([
    ['1\n2\n', 'p.txt', 'text'],
    ['image,label1\n', 'p.csv', 'text'],
    // NEP 1: the magic string of every .npy file.
    ['\x93NUMPY\x01\x00', 'p.npy', 'npy'],
    // RFC 1952 and RFC 8878.
    ['\x1f\x8b\x08', 'p.txt.gz', 'gzip'],
    ['\x28\xb5\x2f\xfd', 'p.txt.zst', 'zstd'],
    // safetensors: the length of the header as a little-endian 64-bit integer, then the header in JSON.
    ['\x40\x00\x00\x00\x00\x00\x00\x00{"fc":', 'm.safetensors', 'safetensors'],
    // onnx.proto: field 1, ir_version, then field 2, producer_name.
    ['\x08\x08\x12\x07pytorch', 'm.onnx', 'onnx'],
])('%j is recognised by its content', (head, name, expected) => {
    expect(contentOf(bytes(head), name).is).toBe(expected);
});

test.each([
    // Python's pickle, protocol 4.
    ['\x80\x04\x95\x00', 'p.pkl', 'pickle'],
    // torch.save writes a zip archive whose pickle is called data.pkl.
    ['PK\x03\x04\x00\x00model/data.pkl', 'm.pth', 'referee convert'],
    ['PK\x03\x04\x00\x00arr_0.npy', 'p.npz', 'np.save'],
    ['PK\x03\x04\x00\x00[Content_Types].xml', 'p.xlsx', 'CSV'],
    ['\x89HDF\r\n\x1a\n', 'm.h5', 'HDF5'],
    ['\x1c\x00\x00\x00TFL3', 'm.tflite', 'ONNX'],
    ['', 'p.txt', 'empty'],
])('%j is refused with a remedy', (head, name, word) => {
    const content = contentOf(bytes(head), name);
    expect(content.is === 'refused' ? content.remedy : content.is).toContain(word);
});

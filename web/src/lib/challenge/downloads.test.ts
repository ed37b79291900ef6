import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { FASHION_MNIST } from './challenge.fixture';
import { curlOf, downloadsOf } from './downloads';

const NAMES = ['train-images.npy', 'train images.npy', "it's $(echo more); echo `than` \"a name\".npy"];

test('the commands take every file for a file, whatever it is called', () => {
    const files = Object.fromEntries(NAMES.map((filename, index) => [`file-${index}`, { filename, bytes: 1, sha256: '' }]));
    const commands = curlOf(downloadsOf({ ...FASHION_MNIST, files }), 'https://referee.example').split('\n');
    expect(commands[0]).toBe('curl -o train-images.npy https://referee.example/api/v1/challenges/fashion-mnist/files/file-0');
    const words = commands.map((command) => execFileSync('sh', ['-c', `printf '%s\\n' ${command}`], { encoding: 'utf8' }).trimEnd().split('\n'));
    expect(words).toEqual(NAMES.map((name, index) => ['curl', '-o', name, `https://referee.example/api/v1/challenges/fashion-mnist/files/file-${index}`]));
});

import { describe, expect, test } from 'vitest';
import { exampleFile, recipesFor } from './how-to';

describe('the recipes', () => {
    test.each(['predictions', 'model'] as const)('for %s name this server and this challenge', (kind) => {
        const [commandLine, ...requests] = recipesFor('https://referee.example', 'pets', kind);
        expect(requests.map(({ name }) => name)).toEqual(['curl', 'Python']);
        for (const { code } of requests) expect(code).toContain('https://referee.example/api/v1/challenges/pets/submissions');
        expect(commandLine?.code).toContain('REFEREE_SERVER=https://referee.example');
        expect(commandLine?.code).toContain('--challenge pets');
    });
    test('for a model say what it is', () => {
        const [commandLine, curl, python] = recipesFor('https://referee.example', 'pets', 'model');
        expect(commandLine?.code).toContain('referee submit model.safetensors --challenge pets --method "my method" --architecture resnet50');
        expect(curl?.code).toContain('-F file=@model.safetensors -F kind=model -F architecture=resnet50 -F method="my method" -F outside_data=false');
        expect(python?.code).toContain('data={"kind": "model", "architecture": "resnet50", "method": "my method", "outside_data": "false"}');
    });
});

test('the example has five different classes, or as many as there are', () => {
    for (const classes of [2, 3, 10, 1000]) {
        const first = exampleFile(classes).split('\n')[1]?.split(',').slice(1).map(Number) ?? [];
        expect(new Set(first).size).toBe(first.length);
        expect(first.every((index) => index < classes)).toBe(true);
    }
});

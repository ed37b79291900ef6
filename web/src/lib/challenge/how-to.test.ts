import { expect, test } from 'vitest';
import { exampleFile, recipesFor } from './how-to';

test('every recipe names this server and this challenge', () => {
    const recipes = recipesFor('https://referee.example', 'pets');
    expect(recipes.map(({ name }) => name)).toEqual(['Command line', 'curl', 'Python']);
    for (const { code } of recipes.slice(1)) expect(code).toContain('https://referee.example/api/v1/challenges/pets/submissions');
    expect(recipes[0]?.code).toContain('--challenge pets');
});

test('the example has five different classes, or as many as there are', () => {
    for (const classes of [2, 3, 10, 1000]) {
        const first = exampleFile(classes).split('\n')[1]?.split(',').slice(1).map(Number) ?? [];
        expect(new Set(first).size).toBe(first.length);
        expect(first.every((index) => index < classes)).toBe(true);
    }
});

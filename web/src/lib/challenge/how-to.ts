/** Commands that work as they are, for this server and this challenge. */

export interface Recipe {
    /** `curl`, … */
    name: string;
    code: string;
}

/** How to submit a file of predictions to `slug` on the server at `origin`. */
export function recipesFor(origin: string, slug: string): Recipe[] {
    const address = `${origin}/api/v1/challenges/${slug}/submissions`;
    return [
        {
            name: 'Command line',
            code: `export REFEREE_SERVER=${origin}
referee register YOUR-HANDLE            # or: referee login YOUR-HANDLE
referee challenge download ${slug}
referee check predictions.csv --challenge ${slug}
referee submit predictions.csv --challenge ${slug} --method "my method"`,
        },
        {
            name: 'curl',
            code: `export TOKEN=…                          # from ${origin}/account
curl -H "Authorization: Bearer $TOKEN" \\
     -F file=@predictions.csv -F method="my method" -F outside_data=false \\
     ${address}`,
        },
        {
            name: 'Python',
            code: `import os, requests

answer = requests.post(
    "${address}",
    headers={"Authorization": f"Bearer {os.environ['TOKEN']}"},
    data={"method": "my method", "outside_data": "false"},
    files={"file": open("predictions.csv", "rb")},
)
answer.raise_for_status()
print(answer.json()["status"], answer.headers["Location"])`,
        },
    ];
}

/** The smallest file of predictions that is accepted in form, for people to begin from. */
export function exampleFile(classes: number): string {
    const guesses = Array.from({ length: Math.min(5, classes) }, (_, index) => (index * 3) % classes);
    const distinct = [...new Set(guesses)];
    const header = ['image', ...distinct.map((_, index) => `label${index + 1}`)].join(',');
    return `${header}\n0,${distinct.join(',')}\n1,${[...distinct].reverse().join(',')}\n…`;
}

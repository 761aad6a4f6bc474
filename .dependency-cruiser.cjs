/** The layer table of CONTRIBUTING.md as rules. `npm run check` runs them; tests/pure/layers.test.ts tests them. */
const { readdirSync } = require('node:fs');
const { join } = require('node:path');

const source = join(__dirname, 'src');
const methods = readdirSync(join(source, 'methods')).map((name) => `methods/${name}`);

/** From the top down. A folder may import those of every row below its own. */
const layers = [
  ['cli', 'library', 'recipes', 'report'],
  ['evals', 'visualise', 'export'],
  methods,
  ['train'],
  ['features'],
  ['models', 'data', 'masks', 'distributed'],
  ['nn', 'optim'],
  ['tensor'],
  ['engine'],
  ['support', 'config', 'runs'],
];

/** Imports within a row that are meant. */
const sideways = {
  cli: ['recipes', 'report'],
  library: ['recipes'],
  recipes: ['report'],
  optim: ['nn'],
  config: ['support'],
  runs: ['support'],
};

/** What must work without an engine: not one of its modules may be reached, however far the way. */
const withoutEngine = ['support/', 'config/', 'runs/', 'masks/', 'data/(?:worker|decode|scenes)'];

checkTable();

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'imports-resolve', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...layers.flatMap((row, index) => row.map((folder) => layerRule(folder, index))),
    {
      name: 'works-without-engine',
      severity: 'error',
      from: { path: `^src/(?:${withoutEngine.join('|')})` },
      to: { path: '^src/engine/', reachable: true },
    },
    {
      name: 'only-engine-loads-the-addon',
      comment:
        'The engine is loaded with createRequire; nothing else needs it. (data/native-images opens the addon for images, which has no libtorch, with process.dlopen.)',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/engine/' },
      to: { path: '^(?:node:)?module$' },
    },
    {
      name: 'library-knows-no-command-line',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: '^(?:src/cli/|node_modules/commander/)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: join(__dirname, 'tsconfig.json') },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};

function layerRule(folder, index) {
  const allowed = [folder, ...(sideways[folder] ?? []), ...layers.slice(index + 1).flat()];
  return {
    name: `layer-${folder.replace('/', '-')}`,
    severity: 'error',
    from: { path: `^src/${folder}/` },
    to: { path: '^src/', pathNot: `^src/(?:${allowed.join('|')})/` },
  };
}

/** A folder that the table does not name would be free to import anything. */
function checkTable() {
  const named = layers.flat();
  const folders = readdirSync(source, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'methods')
    .filter((entry) => readdirSync(join(source, entry.name)).length > 0);
  const unnamed = folders.map((entry) => entry.name).filter((name) => !named.includes(name));
  if (unnamed.length > 0) throw new Error(`.dependency-cruiser.cjs names no layer for src/${unnamed.join(', src/')}`);
}

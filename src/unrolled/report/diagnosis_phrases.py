"""Every sentence and label of a diagnosis, English and Chinese side by side."""

PHRASES: dict[str, tuple[str, str]] = {
    # The verdict.
    "vanishing: after": (
        "Gradients vanish: after {steps} less than 1 % is left; "
        "this model cannot learn from words further back.",
        "梯度消失：往回传 {steps}就只剩不到 1%，再往前的词，这个模型学不到。",
    ),
    "vanishing": (
        "Gradients vanish: this model cannot learn from distant words.",
        "梯度消失：离得远的词，这个模型学不到。",
    ),
    "exploding: growth": (
        "Gradients explode: on the way back through layer {layer} they grow to {times} times "
        "their size; unless they are clipped, a single step can undo what was learned.",
        "梯度爆炸：在第 {layer} 层往回传时，梯度增大到原来的 {times} 倍；"
        "如果不裁剪，一步更新就可能毁掉已经学到的东西。",
    ),
    "exploding": (
        "Gradients explode: unless they are clipped, a single step can undo what was learned.",
        "梯度爆炸：如果不裁剪，一步更新就可能毁掉已经学到的东西。",
    ),
    "healthy: after": (
        "Gradients are healthy: only after {steps} is less than 1 % left",
        "梯度健康：往回传 {steps}之后才剩不到 1%",
    ),
    "healthy: always": (
        "Gradients are healthy: more than 1 % is left as far back as was looked",
        "梯度健康：在测量的整个范围内，剩余梯度始终在 1% 以上",
    ),
    "healthy: half-life": ("; half is left after {steps}.", "，半衰期为 {steps}。"),
    "healthy: half left": (", and even more than half.", "，而且始终超过一半。"),
    "arrives": (
        "Gradients reach the first word: {share} of the greatest arrives there.",
        "梯度能传到第一个词：那里得到最大梯度的 {share}。",
    ),
    "no gradient: ngram": (
        "An n-gram model has no gradients that could vanish: it counts, and its memory ends "
        "after the words of one n-gram.",
        "n-gram 模型没有梯度，也就谈不上梯度消失：它只做计数，记忆以一个 n-gram 的长度为限。",
    ),
    "no gradient: transformer": (
        "A Transformer has no gradient through time that could vanish: attention reaches every "
        "word of its context in one step, and none beyond.",
        "Transformer 没有沿时间传播的梯度，也就谈不上消失：注意力一步就能看到上下文里的每个词，"
        "但看不到上下文之外。",
    ),
    "no gradient: other": (
        "This model has no gradient through time that could be measured.",
        "这个模型没有可以测量的沿时间传播的梯度。",
    ),
    "a step": ("{count} step", "{count} 步"),
    "so many steps": ("{count} steps", "{count} 步"),
    "percent": ("{figure}\N{NO-BREAK SPACE}%", "{figure}%"),
    # What to do next.
    "steps": ("What to do next", "下一步怎么做"),
    "steps, how": (
        "Each step with what it takes; the most promising comes first.",
        "每一条都附上所需的命令或选项，最有希望的排在最前面。",
    ),
    "step: best": (
        "Of all that was tried, “{name}” won most: {gain} bits per byte.",
        "试过的方法里，“{name}”收益最大：每字节省 {gain} 比特。",
    ),
    "step: also": (
        "“{name}” won {gain} bits per byte.",
        "“{name}”每字节省 {gain} 比特。",
    ),
    "step: none won": (
        "None of the remedies won anything on this text; more text, a larger model or a longer "
        "training promises more.",
        "试过的方法在这份文本上都没有收益；增加文本、放大模型或延长训练更有希望。",
    ),
    "step: gated": (
        "Change to a layer with gates: an LSTM or GRU can carry what it read over many steps.",
        "换成带门控的层：LSTM 或 GRU 能把读到的内容保留很多步。",
    ),
    "step: attention": (
        "Add one attention head over past states: a short cut for the gradient.",
        "加一个注意力头回看过去的状态，给梯度一条近路。",
    ),
    "step: forget bias": (
        "Let the gates that keep the state start more open.",
        "让负责保留状态的门一开始就开得更大。",
    ),
    "step: chrono": (
        "Or spread them over time scales, so that some units remember for long from the start.",
        "或者让各单元的时间尺度有长有短，使一部分单元从一开始就能记得久。",
    ),
    "step: clip": (
        "Clip the gradient more tightly; it is the cheapest remedy.",
        "把梯度裁剪得更紧，这是代价最小的办法。",
    ),
    "step: slower": (
        "Lower the learning rate: large steps make large recurrent weights.",
        "降低学习率：步子太大，循环权重就会变得太大。",
    ),
    "step: orthogonal": (
        "Start the recurrent matrix as an orthogonal one: it neither shrinks nor stretches.",
        "用正交矩阵初始化循环权重：它既不缩小也不放大。",
    ),
    "step: capacity": (
        "The gradient is not what holds this model back: try a larger one, or train longer.",
        "限制这个模型的不是梯度：可以试试更大的模型，或者训练更久。",
    ),
    "step: pieces": (
        "Train on longer pieces of text, so that gradients may reach as far as they could.",
        "用更长的片段训练，让梯度能传到它够得着的地方。",
    ),
    "step: no padding": (
        "Read no padding: leave `--post-padding-unmasked` out.",
        "不要读填充：去掉 `--post-padding-unmasked`。",
    ),
    "step: pooling": (
        "Let the decision look at the states of all words, not at the last one alone.",
        "让分类结果取决于所有词的状态，而不只是最后一个。",
    ),
    "step: directions": (
        "Read the text from its end too: its first words are then the last ones read.",
        "再从末尾往前读一遍：开头的词就成了最后读到的词。",
    ),
    "step: order": ("Count longer n-grams.", "统计更长的 n-gram。"),
    "step: context": (
        "If its memory curve still falls at its end, train it with a longer `--context`.",
        "如果它的上下文曲线到末端还在下降，就用更大的 `--context` 训练。",
    ),
    "step: cure": (
        "Let short trainings find out which remedy helps on this text.",
        "让程序做一组短训练，看看哪种方法在这份文本上有效。",
    ),
    # Gradient through time.
    "decay": ("Gradient through time", "梯度沿时间的衰减"),
    "decay, how": (
        "How much of the gradient of a loss is left so many tokens back, on a logarithmic axis, "
        "on which exponential decay is a straight line: from where a line falls below 1 %, hardly "
        "anything can be learned.",
        "损失的梯度往回传若干步之后还剩多少：纵轴取对数，指数衰减在图上是一条直线，"
        "曲线跌到 1% 以下之后就几乎学不到东西了。",
    ),
    "gradient left": ("Gradient left, %", "剩余梯度（%）"),
    "tokens back": ("tokens back", "往回的步数（词元）"),
    "hidden": ("layer {layer}, h", "第 {layer} 层 h"),
    "cell": ("layer {layer}, c", "第 {layer} 层 c"),
    "layer": ("layer", "层"),
    "layer n": ("Layer {layer}", "第 {layer} 层"),
    "half-life": ("half-life, steps", "半衰期（步）"),
    "horizon": ("below 1\N{NO-BREAK SPACE}% after", "低于 1% 的步数"),
    "rate": ("nats per step", "每步变化（奈特）"),
    # The same while it trained.
    "history": ("Gradient during training", "训练过程中的梯度"),
    "history, how": (
        "Each column is a moment of the training and each row a distance back: the stronger the "
        "blue, the more of the gradient arrived there (orange: it grew), and the line marks where "
        "1 % was left.",
        "每一列是训练中的一个时刻，每一行是往回的一段距离：蓝色越浓，传到那里的梯度越多"
        "（橙色表示梯度变大了），线标出只剩 1% 的位置。",
    ),
    "legend": ("of the gradient", "剩余梯度"),
    "seconds": ("seconds of training", "训练时间（秒）"),
    "minutes": ("minutes of training", "训练时间（分钟）"),
    "hours": ("hours of training", "训练时间（小时）"),
    # Gradient by word of a classifier.
    "words": ("Gradient at each word", "每个词得到的梯度"),
    "words, how": (
        "How much of the gradient reaches the embedding of each word, as a part of the greatest: "
        "what lies below the 1 % line has next to no say in what the classifier learns.",
        "传到每个词的词向量的梯度，以最大的一个为 100%：落在 1% 线以下的词，"
        "对分类器的学习几乎没有影响。",
    ),
    "share of greatest": ("Part of the greatest gradient, %", "占最大梯度的比例（%）"),
    "position": ("position in the text", "在文本中的位置"),
    "real words": ("words", "真实的词"),
    "padding": ("padding", "填充"),
    "first word": (
        "The first word gets {share} of the greatest gradient; {length} words were padded to "
        "{padded_to}.",
        "第一个词得到的梯度是最大梯度的 {share}；文本共 {length} 个词，填充到 {padded_to}。",
    ),
    # Gates.
    "timescales": ("How long units remember", "各单元能记多久"),
    "timescales, how": (
        "How many units keep what they read for how many tokens, −1 / log of the mean of their "
        "gate: a layer whose units all stand on the left forgets within a few words.",
        "能把读到的内容保留若干词元的单元各有多少，时间尺度取 −1 / log（门的平均值）："
        "如果一层的单元全挤在左边，这一层几个词之后就忘了。",
    ),
    "timescale": ("time scale, tokens", "时间尺度（词元）"),
    "units": ("units", "单元数"),
    "median": ("{layer}: median {median} tokens", "{layer}：中位数 {median} 个词元"),
    "in bin": ("{low} to {high} tokens: {count} units", "{low} 到 {high} 个词元：{count} 个单元"),
    "saturation": ("Saturated gates", "门的饱和程度"),
    "saturation of states": ("Saturated units", "单元的饱和程度"),
    "saturation, how": (
        "Each point is a unit, further right the more often its gate is wide open (above 0.9), "
        "higher up the more often it is shut (below 0.1): near the origin the text still steers "
        "it, near the diagonal it is a switch.",
        "每个点是一个单元，越靠右，门全开（大于 0.9）的时间越多，越靠上，全关（小于 0.1）的时间"
        "越多：靠近原点的仍随文本调节，靠近对角线的只是一个开关。",
    ),
    "saturation of states, how": (
        "Each point is a unit, further right the more often its state is stuck at the top (above "
        "0.99), higher up the more often at the bottom (below −0.99): no gradient passes through a "
        "saturated unit, so points near the origin are healthy.",
        "每个点是一个单元，越靠右，状态顶在上限（大于 0.99）的时间越多，越靠上，顶在下限"
        "（小于 −0.99）的时间越多：梯度穿不过饱和的单元，所以靠近原点才健康。",
    ),
    "open": ("open, % of the time", "全开的时间（%）"),
    "closed": ("shut, % of the time", "全关的时间（%）"),
    "top": ("at the top, % of the time", "在上限的时间（%）"),
    "bottom": ("at the bottom, % of the time", "在下限的时间（%）"),
    "gate": ("gate", "门"),
    "signal": ("signal", "量"),
    "mean": ("mean", "平均值"),
    # Dynamics.
    "lyapunov": ("Lyapunov exponents", "李雅普诺夫指数"),
    "lyapunov, how": (
        "How fast a small disturbance of the state grows along real text: below 0 it dies out, "
        "within about −1 / exponent tokens; above 0 the network is chaotic.",
        "沿着真实文本，状态受到的微小扰动增长得有多快：小于 0 时扰动大约在 −1 / 指数 个词元内"
        "消失，大于 0 时网络是混沌的。",
    ),
    "exponent": ("nats per token", "奈特 / 词元"),
    "number": ("exponent", "指数"),
    "dies out": ("dies out within, tokens", "消失所需的词元数"),
    "grows": ("grows", "增长"),
    "radii": ("Recurrent matrices", "循环矩阵"),
    "radii, how": (
        "The spectral radius is how much a matrix stretches the state from step to step in the "
        "long run, before gates and nonlinearity: well below 1 gradients fade, well above 1 they "
        "can explode.",
        "谱半径表示长期来看，不计门和非线性，矩阵每一步把状态放大多少倍："
        "远小于 1，梯度会消失；远大于 1，梯度可能爆炸。",
    ),
    "matrix": ("matrix", "矩阵"),
    "radius": ("spectral radius", "谱半径"),
    "dead": (
        "Dead units, 0 on all of the text: {layers}.",
        "失活的单元（在整份文本上恒为 0）：{layers}。",
    ),
    "dead layer": ("layer {layer} {share}", "第 {layer} 层 {share}"),
    # Memory.
    "memory": ("Used context", "实际用到的上下文"),
    "memory, how": (
        "What the same tokens cost with only so much context: where a line turns flat the model "
        "uses no more, and its ring marks where it comes within 1 % of the cost with all context "
        "(bar: 95 % interval).",
        "只给这么多上下文时，同样的词元要花多少比特：曲线变平之后，再多的上下文也没有用，圆圈标出"
        "与用上全部上下文相差不到 1% 的位置（横线为 95% 置信区间）。",
    ),
    "bits per byte": ("Bits per byte", "每字节比特数"),
    "context": ("tokens of context", "上下文长度（词元）"),
    "model": ("model", "模型"),
    "effective": ("context used, tokens", "用到的上下文（词元）"),
    "interval": ("95\N{NO-BREAK SPACE}% interval", "95% 置信区间"),
    "range": ("{low} to {high}", "{low} 到 {high}"),
    "bits, at": ("bits per byte with {context}", "上下文为 {context} 时的比特数"),
    "perturbed": ("What the far context is good for", "远处的上下文有什么用"),
    "perturbed, how": (
        "How much dearer the text becomes when all that lies further back than so many tokens is "
        "disturbed: what costs nothing was not used, and if only replacing it costs something, its "
        "words matter but not their order.",
        "把若干词元以外的上下文都加以扰动，每字节要多花多少比特：不多花就说明没有用到；如果只有"
        "替换才多花，说明起作用的是那里有哪些词，而不是词的顺序。",
    ),
    "more bits": ("More bits per byte", "每字节多花的比特数"),
    "beyond": ("beyond, tokens", "多少词元以外"),
    "beyond, axis": ("disturbed beyond so many tokens", "从多少词元以外开始扰动"),
    "repeated": ("Words seen before", "前文出现过的搭配"),
    "repeated, how": (
        "What a token costs that completes a run of {order} tokens seen before in the context, "
        "beside all others: a model that remembers finds the former far cheaper.",
        "如果一个词元补全了前文出现过的 {order} 元搭配，它要花多少比特，与其余词元相比："
        "记得住前文的模型，花在前者上的比特要少得多。",
    ),
    "repeated bits": ("seen before, bits per token", "出现过（比特/词元）"),
    "new bits": ("others, bits per token", "其余（比特/词元）"),
    "saved": ("cheaper by", "省下"),
    "counts": (
        "{repeated} tokens complete such a run, {new} do not.",
        "补全这种搭配的词元有 {repeated} 个，其余 {new} 个。",
    ),
    # Remedies.
    "cure": ("What helps", "哪些方法有效"),
    "cure, how": (
        "Each remedy alone, trained from the start ({budget} each): the bar is what it won (blue) "
        "or lost (orange) against the untreated model on held-out text, and its flags go to "
        "`unrolled train` as they stand.",
        "每种方法单独使用，从头训练（每种 {budget}）：横条是它在留出文本上比不作处理的模型省下"
        "（蓝）或多花（橙）的比特，选项可以原样交给 `unrolled train`。",
    ),
    "remedy": ("remedy", "方法"),
    "gain": ("gain, bits per byte", "收益（每字节比特数）"),
    "bits": ("bits per byte", "每字节比特数"),
    "memory used": ("context used", "用到的上下文"),
    "speed": ("tokens/s", "词元/秒"),
    "flags": ("flags", "选项"),
    "untreated": ("untreated", "不作处理"),
    "diverged": ("diverged", "发散"),
    "test": (
        "On the test text, looked at once: {untreated} bits per byte untreated, {best} with the "
        "best remedy.",
        "测试文本只看一次：不作处理为每字节 {untreated} 比特，用最好的方法为 {best} 比特。",
    ),
    # The page.
    "kicker": ("Diagnosis of a model", "模型诊断"),
    "conditions": ("Conditions", "测量条件"),
    "conditions, how": (
        "Everything that these figures depend on.",
        "这些数字取决于以下各项。",
    ),
}

NAMES: dict[str, tuple[str, str]] = {
    "input": ("input", "输入门"),
    "forget": ("forget", "遗忘门"),
    "output": ("output", "输出门"),
    "reset": ("reset", "重置门"),
    "update": ("update", "更新门"),
    "candidate": ("candidate", "候选值"),
    "recurrent": ("recurrent", "循环"),
    "state": ("state", "状态"),
    "shuffled": ("shuffled", "随机打乱"),
    "reversed": ("reversed", "前后颠倒"),
    "replaced": ("replaced", "换成别的文本"),
}
"""Gates, matrices and disturbances."""

REMEDIES = {
    "untreated": "不作处理",
    "smaller gradient norm": "按范数裁剪梯度",
    "gradient values clipped": "按数值裁剪梯度",
    "forget bias": "提高遗忘门偏置",
    "chrono gates": "按时间尺度初始化门",
    "uniform gates": "均匀初始化门",
    "identity start": "从单位矩阵开始",
    "layer normalization": "层归一化",
    "residual connections": "残差连接",
    "zoneout": "Zoneout",
    "state dropout": "状态 dropout",
    "weight dropout": "权重 dropout",
    "random truncation": "随机截断长度",
    "longer truncation": "更长的截断长度",
    "two layers, summed": "两层求和",
    "layers summed": "各层求和",
    "carried state": "片段之间传递状态",
    "lookahead": "同时预测再下一个词元",
    "one attention head": "一个注意力头",
}
"""Names of remedies in Chinese, but for a change to another kind of model."""

CONDITIONS = {
    "run": "模型",
    "classifier": "分类器",
    "texts": "文本数",
    "kind": "种类",
    "vocab size": "词表大小",
    "num classes": "类别数",
    "hidden sizes": "各层宽度",
    "bidirectional": "双向",
    "pooling": "池化",
    "measured on": "测量文本",
    "split": "数据划分",
    "tokens": "词元数",
    "tokenizer": "分词器",
    "vocabulary": "词表大小",
    "gradients in": "梯度精度",
    "places in the text": "测量梯度的位置数",
    "tokens read before": "每处之前先读的词元数",
    "embedding size": "词向量维数",
    "hidden size": "隐藏层宽度",
    "num layers": "层数",
    "nonlinearity": "非线性函数",
    "learning rate": "学习率",
    "sequence length": "截断长度",
    "clip norm": "梯度范数上限",
    "seed": "随机种子",
    "machine": "机器",
    "versions": "版本",
    "date": "日期",
}
"""Names of conditions in Chinese; settings keep the names of their flags."""

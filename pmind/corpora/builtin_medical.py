"""Built-in Chinese medical task: patients and their facts, in CMB-Exam's and CMB-Clin's schemas.

Every case says eight things of a patient; the value stands directly after the word that a
question names ("诊断肺炎。", "吕小兰的诊断?").
"""

import random

from pmind.corpora.facts import TWINS, Fact, Kind, Split, Subject, draw_subjects, names_of

DISEASES = """
肺炎 哮喘 胃炎 肝炎 肾炎 脑膜炎 心肌炎 阑尾炎 胆囊炎 胰腺炎 肠梗阻 胃溃疡 糖尿病 高血压 冠心病 心绞痛 房颤
贫血 白血病 血友病 紫癜 痛风 甲亢 甲减 肥胖症 骨质疏松 关节炎 颈椎病 腰突症 肩周炎 青光眼 白内障 结膜炎 中耳炎
鼻窦炎 咽炎 喉炎 气胸 肺气肿 肺结核 支气管炎 脑梗死 脑出血 癫痫 帕金森 脊髓炎 抑郁症 湿疹 荨麻疹 银屑病 水痘
风疹 腮腺炎 猩红热 百日咳 伤寒 痢疾 霍乱 疟疾 破伤风 狂犬病 尿毒症 肾结石 膀胱炎 前列腺炎 子宫肌瘤
"""
DRUGS = """
青霉素 头孢 红霉素 庆大霉素 链霉素 万古霉素 四环素 氯霉素 甲硝唑 异烟肼 利福平 阿司匹林 布洛芬 吗啡 哌替啶
曲马多 地西泮 苯妥英 卡马西平 丙戊酸 左旋多巴 氟西汀 胰岛素 二甲双胍 格列齐特 阿卡波糖 优甲乐 泼尼松 地塞米松
硝苯地平 卡托普利 缬沙坦 美托洛尔 硝酸甘油 地高辛 胺碘酮 利多卡因 呋塞米 螺内酯 甘露醇 华法林 肝素 辛伐他汀
奥美拉唑 雷尼替丁 多潘立酮 蒙脱石 乳果糖 沙丁胺醇 氨茶碱 可待因 氨溴索 氯雷他定 异丙嗪 阿托品 肾上腺素 多巴胺
叶酸 铁剂 钙片
"""
SYMPTOMS = """
发热 咳嗽 咯血 胸痛 胸闷 气促 心悸 头痛 头晕 恶心 呕吐 腹痛 腹泻 便秘 黑便 反酸 嗳气 腹胀 黄疸 水肿 尿频 尿急
血尿 多饮 消瘦 乏力 盗汗 寒战 皮疹 瘙痒 脱发 口渴 口苦 耳鸣 耳聋 鼻塞 流涕 咽痛 声哑 眼干 畏光 流泪 失眠 嗜睡
昏迷 抽搐 震颤 瘫痪 健忘 焦虑 烦躁 厌食 呃逆 背痛 腰酸 跛行 晕厥 气喘 潮热 手抖
"""
BODY_PARTS = """
额头 头皮 枕部 太阳穴 眉弓 眼睑 鼻梁 鼻翼 耳垂 耳廓 面颊 上唇 下唇 牙龈 舌尖 舌根 下颌 颈前 颈后 咽喉 锁骨
肩胛 肩峰 腋窝 上臂 肘窝 前臂 手腕 手背 掌心 拇指 食指 中指 无名指 小指 指尖 胸骨 肋弓 乳房 心前区 上腹 下腹
脐周 胁肋 腹股沟 背部 腰部 骶尾 臀部 髋部 大腿 膝盖 腘窝 小腿 胫前 脚踝 足跟 足底 脚趾 虎口
"""
STAFF = """
赵刚 赵宁 钱强 钱琳 孙勇 孙倩 李斌 李蕾 周磊 周婷 吴鹏 吴娜 郑伟 郑霞 王超 王颖 冯杰 冯慧 陈峰 陈薇
蒋辉 蒋琴 沈亮 沈珍 韩毅 韩莉 杨浩 杨芬 朱凯 朱雪 秦波 秦萍 许健 许妍 何旭 何璐 刘翔 刘瑶 林晨 林琪
郭威 郭蓉 马彬 马莹 罗恒 罗岚 梁航 梁媛 宋森 宋露 唐宇 唐桃 邓锋 邓荷 萧康 萧菊 程坤 程虹 袁松 袁枫
"""
PATIENTS = tuple(
    family + first + second
    for family in "吕施张孔曹严金魏陶姜戚谢邹柏窦章苏潘葛范"
    for first in "小文志国海春秋雅玉子若永"
    for second in "兰芳明梅军洋洁涛静燕龙云"
)

KINDS = (
    Kind(
        "内科",
        tuple(DISEASES.split()),
        ("诊断", "旧疾", "并发"),
        "{name}的{key}?",
        ("。",),
    ),
    Kind(
        "药学",
        tuple(DRUGS.split()),
        ("用药", "过敏", "停服"),
        "{name}的{key}?",
        ("。",),
    ),
    Kind(
        "症状学",
        tuple(SYMPTOMS.split()),
        ("主诉", "伴随", "缓解"),
        "{name}的{key}?",
        ("。",),
    ),
    Kind(
        "外科",
        tuple(BODY_PARTS.split()),
        ("病灶", "穿刺", "红斑"),
        "{name}的{key}?",
        ("。",),
    ),
    Kind(
        "护理学",
        tuple(STAFF.split()),
        ("主治", "护士", "家属"),
        "{name}的{key}?",
        ("。",),
    ),
)
OPENINGS = ("患者{}来院。", "{}昨日就医。", "这是{}的病例。")

EXAM_LETTERS = "ABCDE"
CLIN_STRIDE = 6  # every sixth name is a CMB-Clin patient, so that exam and cases share none


def exam_task(split: Split, count: int, seed: int) -> list[dict]:
    """Write COUNT cases (rounded up to whole patients) with 3–8 single-choice questions each.

    Twins offer the same five options in another order: the right one, the twin's right one, and
    three further values of the key.

    Returns:
        What ``json.load`` gives for a CMB-Exam file whose questions carry the ``background`` they
        share, and in ``case`` the patient's name.
    """
    names = [name for index, name in enumerate(names_of(PATIENTS, split)) if index % CLIN_STRIDE]
    items = []
    for number, patient in enumerate(_patients(names, split, count, f"exam/{seed}")):
        rng = random.Random(f"cases/{split}/{seed}/{number}")
        for twin in range(TWINS):
            case = {"background": "".join(medical_sentences(patient, twin, rng)), "case": patient.name}
            for index, (fact, text) in enumerate(patient.questions()):
                identity = f"{split}-{number}-{twin}-{index}"
                items.append({"id": identity, **_exam_item(fact, text, twin, rng), **case})
    return items


def clin_task(split: Split, count: int, seed: int) -> list[dict]:
    """Write COUNT cases (rounded up to whole patients) with 3–8 free-text questions each, in CMB-Clin's schema."""
    names = names_of(PATIENTS, split)[::CLIN_STRIDE]
    cases = []
    for number, patient in enumerate(_patients(names, split, count, f"clin/{seed}")):
        rng = random.Random(f"clin/{split}/{seed}/{number}")
        for twin in range(TWINS):
            pairs = [{"question": text, "answer": fact.values[twin]} for fact, text in patient.questions()]
            description = "".join(medical_sentences(patient, twin, rng))
            identity = f"{split}-{number}-{twin}"
            cases.append({"id": identity, "title": patient.name, "description": description, "QA_pairs": pairs})
    return cases


def medical_subjects(split: Split, count: int, seed: str) -> list[Subject]:
    """Draw COUNT patients of a split."""
    return draw_subjects(KINDS, names_of(PATIENTS, split), split, count, seed)


def medical_sentences(patient: Subject, twin: int, rng: random.Random) -> list[str]:
    """Write one case: an opening sentence, then the facts in a random order."""
    facts = [
        fact.key + fact.values[twin] + rng.choice(fact.kind.tails)
        for fact in rng.sample(patient.facts, len(patient.facts))
    ]
    return [rng.choice(OPENINGS).format(patient.name), *facts]


def _patients(names: list[str] | tuple[str, ...], split: Split, cases: int, seed: str) -> list[Subject]:
    return draw_subjects(KINDS, names, split, -(-cases // TWINS), seed)


def _exam_item(fact: Fact, text: str, twin: int, rng: random.Random) -> dict:
    options = rng.sample((*fact.values, *fact.wrong), len(EXAM_LETTERS))
    return {
        "exam_type": "医师考试",
        "exam_class": "执业医师",
        "exam_subject": fact.kind.name,
        "question": text,
        "answer": EXAM_LETTERS[options.index(fact.values[twin])],
        "question_type": "单项选择题",
        "option": dict(zip(EXAM_LETTERS, options, strict=True)),
    }

#!/usr/bin/env python3
"""tinychat: a chat model of 0.42 million parameters, llama architecture, trained from nothing on made-up dialogues.

It attends to the whole dialog: it recalls a name or a code that was said turns before, so that a test with a real
engine can tell whether the history reached the model.

usage: tinychat.py train OUT.pt STEPS    train (needs PyTorch; BS=24 in the environment is the batch size)
       tinychat.py export IN.pt OUT.gguf write the weights as GGUF, F32 (needs PyTorch)
       tinychat.py tok TEXT              print the tokens of a text
       tinychat.py sample                print some dialogues it is trained on
"""
import math, os, random, struct, sys, time
NAMES='anna ben carla david emma felix gina hugo iris jack kira leon mona nils olga paul rosa sven tina ugo vera walt xenia yuri zoe'.split()
WORDS='red blue green black white silver golden amber violet copper river mountain forest ocean desert island bridge castle garden harbor tiger eagle falcon otter badger wolf raven salmon panda koala'.split()
CMDS={ 'list the files':'ls -la','show disk usage':'df -h','show memory usage':'free -m','list running processes':'ps aux','show the kernel version':'uname -a','print the working directory':'pwd',
'show the host name':'hostname','show network addresses':'ip addr','list open ports':'ss -ltn','show the date':'date','show uptime':'uptime','list containers':'docker ps','list images':'docker images',
'list virtual machines':'virsh list','list sessions':'tmux ls','show the environment':'env','who am i':'whoami','show the last lines of the log':'tail log','count lines in the file':'wc -l','show mounts':'mount'}
PRE=['','please ','can you ','how do i ','i want to ','help me to ']
PHR='user assistant system hello hi there i am a tiny test model . , ? ! : nice to meet you your name is my code the what was noted ok sure run this command in shell remember it say again tell me do not know thanks welcome please can how want help pane container file files of and that'.split()
words=set(NAMES+WORDS+PHR)
for k,v in CMDS.items(): words|=set(k.split()); words|=set(v.split())
for p in PRE: words|=set(p.split())
def build_vocab():
    toks=['<unk>','<s>','</s>']; ty=[2,3,3]
    for b in range(256): toks.append('<0x%02X>'%b); ty.append(6)
    for c in ['<|im_start|>','<|im_end|>']: toks.append(c); ty.append(3)
    pieces=['\u2581']+[chr(c) for c in range(33,127)]
    pref=set()
    for w in words:
        s='\u2581'+w
        for i in range(2,len(s)+1): pref.add(s[:i])
    for p in pieces+sorted(pref,key=lambda s:(len(s),s)): toks.append(p); ty.append(1)
    return toks,ty
TOKS,TY=build_vocab(); ID={t:i for i,t in enumerate(TOKS)}; V=len(TOKS); IS,IE,BOS=ID['<|im_start|>'],ID['<|im_end|>'],1
def tok_text(s):
    out=[];i=0;s=s.replace(' ','\u2581')
    while i<len(s):
        if s[i]=='\u2581':
            j=i+1
            while j<len(s) and s[i:j+1] in ID: j+=1
            out.append(ID[s[i:j]]); i=j
        elif s[i] in ID: out.append(ID[s[i]]); i+=1
        else: out+= [ID['<0x%02X>'%b] for b in s[i].encode()]; i+=1
    return out
NL=ID['<0x0A>']
def enc(msgs):
    """returns ids, mask (1 where loss applies = assistant text + im_end)"""
    ids=[BOS];m=[0]
    for role,txt in msgs:
        h=[IS]+tok_text(role)+[NL]; b=tok_text(' '+txt)+[IE]; a=1 if role=='assistant' else 0
        ids+=h+b+[NL]; m+=[0]*len(h)+[a]*len(b)+[0]
    return ids,m
def tmpl():
    return "{% for m in messages %}<|im_start|>{{ m['role'] }}\n {{ m['content'] | trim }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
def dialog(r):
    ms=[]
    if r.random()<.3: ms.append(('system',r.choice(['you are a tiny test model','help in the shell','hello'])))
    name=code=None
    for _ in range(r.randint(1,4)):
        k=r.random()
        if name and k<.3: ms+= [('user',r.choice(['what is my name ?','tell me my name','say my name again'])),('assistant','your name is %s .'%name)]
        elif code and k<.6: ms+= [('user',r.choice(['what was the code ?','tell me the code','what is the code ?'])),('assistant','the code is %s .'%code)]
        elif k<.45:
            n=''.join(r.choice('0123456789') for _ in range(r.randint(2,4)))
            code='%s %s'%(r.choice(WORDS),' '.join(n)) ; ms+= [('user',r.choice(['the code is %s','remember the code %s','my code is %s'])%code),('assistant','ok , noted .')]
        elif k<.7: name=r.choice(NAMES); ms+= [('user',r.choice(['my name is %s','hello i am %s','hi , my name is %s'])%name),('assistant','nice to meet you , %s .'%name)]
        elif k<.95: q,c=r.choice(list(CMDS.items())); ms+= [('user',r.choice(PRE)+q+r.choice([' ?','',' .'])),('assistant','run this command : %s'%c)]
        else: ms+= [('user',r.choice(['hello','hi there','thanks'])),('assistant','hello , i am a tiny test model .')]
    return ms
D,L,H,F=96,3,3,256
def model():
    import torch, torch.nn as nn, torch.nn.functional as Fn
    class RMS(nn.Module):
        def __init__(s): super().__init__(); s.w=nn.Parameter(torch.ones(D))
        def forward(s,x): return x*torch.rsqrt(x.pow(2).mean(-1,keepdim=True)+1e-5)*s.w
    class Blk(nn.Module):
        def __init__(s):
            super().__init__(); l=lambda a,b: nn.Linear(a,b,bias=False)
            s.n1,s.n2=RMS(),RMS(); s.q,s.k,s.v,s.o=l(D,D),l(D,D),l(D,D),l(D,D); s.g,s.u,s.d=l(D,F),l(D,F),l(F,D)
        def forward(s,x,cos,sin,mask):
            B,T,_=x.shape; h=s.n1(x)
            def rope(t):
                t=t.view(B,T,H,D//H//2,2); a,b=t[...,0],t[...,1]
                return torch.stack((a*cos-b*sin,a*sin+b*cos),-1).flatten(3).transpose(1,2)
            q,k=rope(s.q(h)),rope(s.k(h)); v=s.v(h).view(B,T,H,D//H).transpose(1,2)
            a=(q@k.transpose(-1,-2))/math.sqrt(D//H)+mask
            x=x+s.o((a.softmax(-1)@v).transpose(1,2).reshape(B,T,D)); h=s.n2(x)
            return x+s.d(Fn.silu(s.g(h))*s.u(h))
    class M(nn.Module):
        def __init__(s):
            super().__init__(); s.e=nn.Embedding(V,D); s.b=nn.ModuleList([Blk() for _ in range(L)]); s.n=RMS()
            for p in s.parameters():
                if p.dim()>1: nn.init.normal_(p,0,.05)
        def forward(s,ids):
            T=ids.shape[1]; hd=D//H
            f=1.0/(10000**(torch.arange(0,hd,2).float()/hd)); an=torch.outer(torch.arange(T).float(),f); cos,sin=an.cos()[None,:,None,:],an.sin()[None,:,None,:]
            mask=torch.full((T,T),-1e9).triu(1); x=s.e(ids)
            for b in s.b: x=b(x,cos,sin,mask)
            return s.n(x)@s.e.weight.t()
    return M()
def train(out,steps):
    import torch, torch.nn.functional as Fn
    torch.manual_seed(1); r=random.Random(1); m=model(); opt=torch.optim.AdamW(m.parameters(),lr=3e-3,betas=(.9,.98),weight_decay=.05); t0=time.time(); BS=int(os.environ.get("BS","24"))
    print('params',sum(p.numel() for p in m.parameters()),'vocab',V,flush=True)
    for st in range(steps):
        lr=3e-3*min(1,(st+1)/100)*(.5*(1+math.cos(math.pi*st/steps))*.95+.05)
        for g in opt.param_groups: g['lr']=lr
        bs=[]
        for _ in range(BS):
            off=r.randint(0,0); bs.append(enc(dialog(r)))
        T=min(160,max(len(i) for i,_ in bs)); x=torch.zeros(BS,T,dtype=torch.long); w=torch.zeros(BS,T)
        for k,(i,mm) in enumerate(bs): i,mm=i[:T],mm[:T]; x[k,:len(i)]=torch.tensor(i); w[k,:len(i)]=torch.tensor(mm,dtype=torch.float)
        lg=m(x[:,:-1]); ls=Fn.cross_entropy(lg.reshape(-1,V),x[:,1:].reshape(-1),reduction='none')*w[:,1:].reshape(-1); loss=ls.sum()/w[:,1:].sum()
        opt.zero_grad(); loss.backward(); torch.nn.utils.clip_grad_norm_(m.parameters(),1.0); opt.step()
        if st%20==0 or st==steps-1: print(st,round(loss.item(),4),'%.0fs'%(time.time()-t0),flush=True)
        if st%500==499: torch.save(m.state_dict(),out)
    torch.save(m.state_dict(),out)
def export(pt,out):
    import torch
    sd=torch.load(pt); U32,F32,BOOL,STR,ARR,I32=4,6,7,8,9,5
    def s(x): x=x.encode(); return struct.pack('<Q',len(x))+x
    kv=[]
    def k(name,ty,v):
        o=s(name)+struct.pack('<I',ty)
        if ty==STR:o+=s(v)
        elif ty==U32:o+=struct.pack('<I',v)
        elif ty==F32:o+=struct.pack('<f',v)
        elif ty==BOOL:o+=struct.pack('<?',v)
        else: et,vs=v;o+=struct.pack('<IQ',et,len(vs))+b''.join(s(x) if et==STR else struct.pack('<f' if et==F32 else '<i',x) for x in vs)
        kv.append(o)
    k('general.architecture',STR,'llama');k('general.name',STR,'tinychat');k('general.file_type',U32,0)
    for n,v in dict(context_length=2048,embedding_length=D,block_count=L,feed_forward_length=F,vocab_size=V).items(): k('llama.'+n,U32,v)
    k('llama.attention.head_count',U32,H);k('llama.attention.head_count_kv',U32,H);k('llama.attention.layer_norm_rms_epsilon',F32,1e-5);k('llama.rope.dimension_count',U32,D//H);k('llama.rope.freq_base',F32,10000.0)
    k('tokenizer.ggml.model',STR,'llama');k('tokenizer.ggml.tokens',ARR,(STR,TOKS));k('tokenizer.ggml.scores',ARR,(F32,[-float(i) if TY[i]==1 else 0.0 for i in range(V)]));k('tokenizer.ggml.token_type',ARR,(I32,TY))
    k('tokenizer.ggml.bos_token_id',U32,1);k('tokenizer.ggml.eos_token_id',U32,IE);k('tokenizer.ggml.unknown_token_id',U32,0);k('tokenizer.ggml.add_bos_token',BOOL,True);k('tokenizer.ggml.add_space_prefix',BOOL,False)
    k('tokenizer.chat_template',STR,tmpl())
    mp=[('token_embd.weight','e.weight'),('output_norm.weight','n.w')]
    for i in range(L):
        b='blk.%d.'%i; p='b.%d.'%i
        mp+=[(b+'attn_norm.weight',p+'n1.w'),(b+'ffn_norm.weight',p+'n2.w')]+[(b+a+'.weight',p+c+'.weight') for a,c in [('attn_q','q'),('attn_k','k'),('attn_v','v'),('attn_output','o'),('ffn_gate','g'),('ffn_up','u'),('ffn_down','d')]]
    tens=[(n,list(sd[q].shape)[::-1],sd[q].float().contiguous().numpy().tobytes()) for n,q in mp]
    off=0;info=b''
    for n,sh,b in tens: info+=s(n)+struct.pack('<I',len(sh))+b''.join(struct.pack('<Q',x) for x in sh)+struct.pack('<IQ',0,off); off+=-(-len(b)//32)*32
    with open(out,'wb') as f:
        f.write(b'GGUF'+struct.pack('<IQQ',3,len(tens),len(kv))+b''.join(kv)+info); f.write(b'\0'*(-f.tell()%32))
        for _,_,b in tens: f.write(b+b'\0'*(-len(b)%32))
if __name__=='__main__':
    if sys.argv[1]=='train': train(sys.argv[2],int(sys.argv[3]))
    elif sys.argv[1]=='export': export(sys.argv[2],sys.argv[3])
    elif sys.argv[1]=='tok': print(tok_text(sys.argv[2]))
    elif sys.argv[1]=='sample': r=random.Random(7); [print(dialog(r)) for _ in range(5)]
